//! What one receiver gets at once: a notice, or several, the gravest first.

use serde_json::{Value, json};

use super::notice::{Change, Notice};
use crate::clock::rfc3339;
use crate::status::Severity;

/// Several notices as one message. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    notices: Vec<Notice>,
    /// Number of notices that it names; the others it counts.
    shown: usize,
}

impl Message {
    /// Returns a message that names `shown` notices; `None` when there is nothing to say.
    pub fn of(mut notices: Vec<Notice>, shown: usize) -> Option<Self> {
        let order = |notice: &Notice| {
            let news = matches!(notice.change, Change::Ended);
            (news, std::cmp::Reverse(notice.severity), notice.change)
        };
        notices.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.key.cmp(&b.key)));
        (!notices.is_empty()).then_some(Self { notices, shown: shown.max(1) })
    }

    /// Returns it in one line.
    pub fn title(&self) -> String {
        let [one] = self.notices.as_slice() else {
            let count = |is: &dyn Fn(&Notice) -> bool, words: &str| {
                let count = self.notices.iter().filter(|notice| is(notice)).count();
                (count > 0).then(|| format!("{count} {words}"))
            };
            let wrong =
                |notice: &Notice, severity| notice.severity == severity && notice.change != Change::Ended;
            let parts = [
                count(&|notice| wrong(notice, Severity::Critical), "critical"),
                count(&|notice| wrong(notice, Severity::Warning), "to look at"),
                count(&|notice| notice.change == Change::Ended, "over"),
            ];
            return format!("prismvault: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "));
        };
        format!("prismvault: {}", one.title())
    }

    /// Returns all of it, as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.lines() {
            text += &line;
            text.push('\n');
        }
        text
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .notices
            .iter()
            .take(self.shown)
            .flat_map(|notice| [notice.title(), format!("  {}", notice.details())])
            .collect();
        if let Some(more) = self.notices.len().checked_sub(self.shown).filter(|more| *more > 0) {
            lines.push(format!("and {more} more, see: prismvault status --problems"));
        }
        lines
    }

    /// As Slack's incoming webhooks want it. Its three special characters are written as entities,
    /// and markup is off, so that nothing becomes a link or calls a channel.
    pub(super) fn slack(&self) -> Value {
        let text = self.text().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        json!({ "text": text.trim_end(), "mrkdwn": false, "unfurl_links": false })
    }

    /// As the workflows of Microsoft Teams want it: a card of text runs, which know no markup.
    pub(super) fn teams(&self) -> Value {
        let run = |text: String, weight: &str| {
            json!({
                "type": "RichTextBlock",
                "inlines": [{ "type": "TextRun", "text": text, "weight": weight }],
            })
        };
        let mut body = vec![run(self.title(), "Bolder")];
        body.extend(self.lines().into_iter().map(|line| run(line, "Default")));
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": body,
                },
            }],
        })
    }

    /// All that is known, for programs.
    pub(super) fn generic(&self) -> Value {
        let notice = |notice: &Notice| {
            json!({
                "key": notice.key,
                "change": notice.change,
                "severity": notice.severity,
                "repository": notice.repository,
                "job": notice.job,
                "what": notice.what,
                "since": rfc3339(notice.since),
                "next": notice.next,
            })
        };
        json!({
            "schema": 1,
            "source": "prismvault",
            "title": self.title(),
            "text": self.text(),
            "notices": self.notices.iter().map(notice).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(key: &str, change: Change, severity: Severity) -> Notice {
        Notice {
            key: key.to_owned(),
            change,
            severity,
            repository: Some("blog".parse().unwrap()),
            what: "<!channel> & *so* [on](http://x)".to_owned(),
            ..Notice::test("2026-11-21T02:00:00Z".parse().unwrap())
        }
    }

    #[test]
    fn several_notices_come_gravest_first_and_those_that_are_over_last() {
        let all = vec![
            notice("a", Change::Ended, Severity::Critical),
            notice("b", Change::Began, Severity::Warning),
            notice("c", Change::Reminder, Severity::Critical),
            notice("d", Change::Began, Severity::Critical),
        ];
        let message = Message::of(all, 3).unwrap();
        let order: Vec<&str> = message.notices.iter().map(|notice| notice.key.as_str()).collect();
        assert_eq!(order, ["d", "c", "b", "a"]);
        assert_eq!(message.title(), "prismvault: 2 critical, 1 to look at, 1 over");
        assert!(message.text().ends_with("and 1 more, see: prismvault status --problems\n"));
        assert_eq!(message.generic()["notices"].as_array().unwrap().len(), 4);
        assert_eq!(Message::of(Vec::new(), 3), None);
    }

    #[test]
    fn nothing_in_a_message_is_markup() {
        let message = Message::of(vec![notice("a", Change::Began, Severity::Critical)], 20).unwrap();
        let slack = message.slack()["text"].as_str().unwrap().to_owned();
        assert!(slack.contains("&lt;!channel&gt; &amp;") && !slack.contains('<'), "{slack}");
        assert_eq!(message.slack()["mrkdwn"], false);
        let card = &message.teams()["attachments"][0]["content"];
        for block in card["body"].as_array().unwrap() {
            assert_eq!(block["type"], "RichTextBlock", "a TextBlock would read markdown");
        }
    }
}
