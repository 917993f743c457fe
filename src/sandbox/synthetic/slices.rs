//! Writes slice zones: shared slices, composite ones and legacy ones with a value.

use super::fields::Fields;

/// Writes the slice zone `body` with up to `most` slices.
pub(super) fn body(f: &mut Fields<'_>, most: usize) {
    f.json.key("body").begin('[');
    for _ in 0..1 + f.random.below(most) {
        match f.random.below(14) {
            0..=4 => shared(f, "text_block", |f| f.rich("text", 2)),
            5 | 6 => shared(f, "hero", |f| {
                let headline = f.words(5);
                f.title("headline", &headline);
                f.image("image", &[("32:15", 1600, 750)]);
                f.json.key("link");
                f.any_link();
            }),
            7 | 8 => gallery(f),
            9 | 10 => quote(f),
            11 => people(f),
            12 => composite(f),
            _ => legacy(f),
        }
    }
    f.json.end(']');
}

fn shared(f: &mut Fields<'_>, slice_type: &str, primary: impl FnOnce(&mut Fields<'_>)) {
    begin_shared(f, slice_type);
    f.json.key("primary").begin('{');
    primary(f);
    f.json.end('}').raw_member("items", "[]");
    end(f, slice_type);
}

fn begin_shared(f: &mut Fields<'_>, slice_type: &str) {
    let variation = if slice_type == "text_block" && f.random.one_in(3) { "twoColumns" } else { "default" };
    f.json.begin('{').member("variation", variation).member("version", "initial");
}

fn end(f: &mut Fields<'_>, slice_type: &str) {
    let id = f.random.uuid();
    f.json.member("id", &format!("{slice_type}${id}")).member("slice_type", slice_type);
    f.json.key("slice_label").null().end('}');
}

fn gallery(f: &mut Fields<'_>) {
    begin_shared(f, "gallery");
    f.json.key("primary").begin('{');
    f.text("heading", 3);
    f.json.end('}').key("items").begin('[');
    for _ in 0..1 + f.random.below(3) {
        f.json.begin('{');
        f.image("image", &[]);
        f.text("caption", 5);
        f.json.end('}');
    }
    f.json.end(']');
    end(f, "gallery");
}

fn quote(f: &mut Fields<'_>) {
    shared(f, "quote", |f| {
        f.rich("quote", 1);
        let person = super::words::Person::new(&mut f.random);
        f.json.member("name", &person.name());
    });
}

/// A slice with a group, and a group within it.
fn people(f: &mut Fields<'_>) {
    shared(f, "people", |f| {
        f.json.key("departments").begin('[');
        for _ in 0..1 + f.random.below(2) {
            f.json.begin('{');
            f.text("department", 2);
            f.json.key("members").begin('[');
            for _ in 0..f.random.below(3) {
                f.json.begin('{').key("member");
                f.document_link(&["team_member"]);
                f.json.end('}');
            }
            f.json.end(']').end('}');
        }
        f.json.end(']');
    });
}

/// Composite slices have neither variation nor version.
fn composite(f: &mut Fields<'_>) {
    f.json.begin('{').key("primary").begin('{').key("video");
    f.embed();
    f.json.end('}').key("items").raw("[{}]");
    end(f, "video_embed");
}

fn legacy(f: &mut Fields<'_>) {
    let text = f.prose();
    f.json.begin('{').member("slice_type", "notice").member("slice_label", "wide").key("value").begin('[');
    f.json
        .begin('{')
        .member("type", "paragraph")
        .member("text", &text)
        .raw_member("spans", "[]")
        .end('}')
        .end(']')
        .end('}');
}
