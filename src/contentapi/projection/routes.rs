//! `routes`: paths of documents on the site that reads them.
//!
//! The first route that fits a document by type, and by uid and language where it names them,
//! makes its `url`. A keyword of the path is `:uid`, `:lang`, or a resolver: the uid of a document
//! that a field links to, or over `a.b` of one that this one links to. A segment with `?` is left out
//! when its keyword has no value, and `:lang?` for the master locale; without `?` the url is `null`.
//! (<https://prismic.io/docs/route-resolver>, fact sheet 2.8)

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::query::ParsingError;
use super::{DEPTH_MAX, Linked, Object, each_link, target_of};

/// Most routes of one request: a site has as many as types and languages together.
const ROUTES_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
struct RawRoute {
    #[serde(rename = "type")]
    type_id: String,
    path: String,
    uid: Option<String>,
    lang: Option<String>,
    #[serde(default)]
    resolvers: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Route {
    type_id: String,
    uid: Option<String>,
    lang: Option<String>,
    segments: Vec<Segment>,
}

/// What stands between two slashes.
#[derive(Debug)]
struct Segment {
    parts: Vec<Part>,
    is_optional: bool,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Uid,
    Lang,
    /// Fields that lead to the document whose uid it is.
    Resolver(Vec<String>),
}

/// The routes of a request.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Vec<Route>,
    broken: Option<String>,
    master: Option<String>,
}

/// What routes look at.
struct Target<'d> {
    type_id: &'d str,
    uid: Option<&'d str>,
    lang: &'d str,
}

impl<'d> Target<'d> {
    /// Of a document, or of what a link says of one.
    fn of(members: &'d Object) -> Self {
        let text = |key: &str| members.get(key).and_then(Value::as_str);
        Self {
            type_id: text("type").unwrap_or_default(),
            uid: text("uid"),
            lang: text("lang").unwrap_or_default(),
        }
    }
}

impl Routes {
    /// Reads the JSON array; `None` for an empty one.
    pub(super) fn parse(
        text: &str,
        broken: Option<&str>,
        master: Option<&str>,
    ) -> Result<Option<Self>, ParsingError> {
        let refused = |why: &str| ParsingError::parameter("routes", format!("[routes] {why}"));
        let raw: Vec<RawRoute> = serde_json::from_str(text)
            .map_err(|error| refused(&format!("a list of routes with type and path is expected: {error}")))?;
        if raw.len() > ROUTES_MAX {
            return Err(refused("too many routes"));
        }
        let routes: Vec<Route> = raw
            .into_iter()
            .map(|route| {
                let segments = segments(&route).map_err(|why| refused(&why))?;
                Ok(Route { type_id: route.type_id, uid: route.uid, lang: route.lang, segments })
            })
            .collect::<Result<_, _>>()?;
        let routes = Self { routes, broken: broken.map(str::to_owned), master: master.map(str::to_owned) };
        Ok((!routes.routes.is_empty()).then_some(routes))
    }

    /// The path of a document, as far as `linked` knows what its resolvers need.
    pub(super) fn url_of(&self, document: &Object, linked: &mut Linked<'_>) -> Option<String> {
        let data = document.get("data").and_then(Value::as_object);
        self.url(&Target::of(document), &Data::Here(data), linked)
    }

    /// Gives every link to a document its target's path, and broken ones that of `brokenRoute`.
    pub(super) fn fill_links(&self, data: &mut Value, linked: &mut Linked<'_>) {
        each_link(data, &mut |link| {
            let url = match target_of(link) {
                Some(id) => self.url(&Target::of(link), &Data::Of(id), linked),
                None if link.get("isBroken").and_then(Value::as_bool) == Some(true) => self.broken.clone(),
                None => None,
            };
            if let Some(url) = url {
                link.insert("url".to_owned(), url.into());
            }
        });
    }

    fn url(&self, target: &Target<'_>, data: &Data<'_>, linked: &mut Linked<'_>) -> Option<String> {
        let route = self.routes.iter().find(|route| {
            route.type_id == target.type_id
                && route.uid.as_deref().is_none_or(|uid| target.uid == Some(uid))
                && route.lang.as_deref().is_none_or(|lang| target.lang == lang)
        })?;
        let mut url = String::new();
        for segment in &route.segments {
            match self.segment(segment, target, data, linked) {
                Some(text) => {
                    url.push('/');
                    url.push_str(&text);
                }
                None if segment.is_optional => {}
                None => return None,
            }
        }
        Some(if url.is_empty() { "/".to_owned() } else { url })
    }

    fn segment(
        &self,
        segment: &Segment,
        target: &Target<'_>,
        data: &Data<'_>,
        linked: &mut Linked<'_>,
    ) -> Option<String> {
        let mut text = String::new();
        for part in &segment.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Uid => text.push_str(target.uid?),
                Part::Lang if segment.is_optional && self.master.as_deref() == Some(target.lang) => {
                    return None;
                }
                Part::Lang => text.push_str(target.lang),
                Part::Resolver(fields) => text.push_str(&match data {
                    Data::Here(data) => uid_over(fields, (*data)?, linked)?,
                    Data::Of(id) => uid_over(fields, linked.get(id)?.get("data")?.as_object()?, linked)?,
                }),
            }
        }
        Some(text)
    }
}

/// Where the fields of a target are.
enum Data<'d> {
    Here(Option<&'d Object>),
    /// In the document of this id.
    Of(&'d str),
}

/// The uid of the document that fields lead to, over further documents where there are several.
fn uid_over(fields: &[String], data: &Object, linked: &mut Linked<'_>) -> Option<String> {
    let (field, further) = fields.split_first()?;
    let link = data.get(field)?.as_object()?;
    let id = target_of(link)?;
    if further.is_empty()
        && let Some(uid) = link.get("uid").and_then(Value::as_str)
    {
        return Some(uid.to_owned());
    }
    let target = linked.get(id)?;
    match further {
        [] => target.get("uid").and_then(Value::as_str).map(str::to_owned),
        _ => uid_over(further, target.get("data")?.as_object()?, linked),
    }
}

fn segments(route: &RawRoute) -> Result<Vec<Segment>, String> {
    let path =
        route.path.strip_prefix('/').ok_or_else(|| format!("'{}' does not begin with /", route.path))?;
    // A trailing slash is a segment without text: it stays.
    let segments = path.split('/').enumerate().filter(|(at, text)| *at > 0 || !text.is_empty());
    segments.map(|(_, text)| segment(text, route)).collect()
}

fn segment(text: &str, route: &RawRoute) -> Result<Segment, String> {
    let mut parts = Vec::new();
    let (text, is_optional) = match text.strip_suffix('?') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        if colon > 0 {
            parts.push(Part::Text(rest[..colon].to_owned()));
        }
        let after = &rest[colon + 1..];
        let len = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let keyword = &after[..len];
        parts.push(match (keyword, route.resolvers.get(keyword)) {
            (_, Some(fields)) => Part::Resolver(fields_of(keyword, fields)?),
            ("uid", None) => Part::Uid,
            ("lang", None) => Part::Lang,
            _ => {
                return Err(format!(
                    "':{keyword}' in the path '{}' is neither :uid nor :lang nor one of its resolvers",
                    route.path
                ));
            }
        });
        rest = &after[len..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(Segment { parts, is_optional })
}

fn fields_of(keyword: &str, text: &str) -> Result<Vec<String>, String> {
    let fields: Vec<String> = text.split('.').map(str::to_owned).collect();
    if fields.iter().any(String::is_empty) || fields.len() > DEPTH_MAX {
        return Err(format!(
            "the resolver '{keyword}' is not a field or fields with dots between them: '{text}'"
        ));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Known, object};
    use super::*;

    fn routes(routes: &Value, broken: Option<&str>) -> Routes {
        Routes::parse(&routes.to_string(), broken, Some("en-us")).expect("good routes").expect("some")
    }

    fn page(uid: &str, lang: &str) -> Object {
        object(json!({"id": uid, "type": "page", "uid": uid, "lang": lang, "data": {}}))
    }

    fn url(routes: &Routes, document: &Object) -> Option<String> {
        routes.url_of(document, &mut Linked::new(&Known::new(), usize::MAX))
    }

    #[test]
    fn the_first_route_that_fits_makes_the_path() {
        let routes = routes(
            &json!([
                {"type": "page", "uid": "home", "path": "/:lang?"},
                {"type": "page", "lang": "fr-fr", "path": "/:lang/pages-:uid.html"},
                {"type": "page", "path": "/:lang?/:uid"},
            ]),
            None,
        );
        assert_eq!(url(&routes, &page("home", "en-us")).as_deref(), Some("/"));
        assert_eq!(url(&routes, &page("home", "fr-fr")).as_deref(), Some("/fr-fr"));
        assert_eq!(url(&routes, &page("a", "fr-fr")).as_deref(), Some("/fr-fr/pages-a.html"));
        assert_eq!(url(&routes, &page("a", "de-de")).as_deref(), Some("/de-de/a"));
        assert_eq!(url(&routes, &page("a", "en-us")).as_deref(), Some("/a"));
        let mut other = page("a", "en-us");
        other.insert("type".to_owned(), "post".into());
        assert_eq!(url(&routes, &other), None);
        let mut nameless = page("a", "en-us");
        nameless.insert("uid".to_owned(), Value::Null);
        assert_eq!(url(&routes, &nameless), None);
    }

    #[test]
    fn resolvers_lead_over_fields_to_uids() {
        let link = |id: &str| json!({"link_type": "Document", "id": id, "type": "page", "lang": "en-us", "isBroken": false});
        let known = Known::from([
            ("p".to_owned(), Some(object(json!({"uid": "parent", "data": {"parent": link("g")}})))),
            (
                "g".to_owned(),
                Some(object(json!({"uid": "grand", "data": {"parent": {"link_type": "Document"}}}))),
            ),
        ]);
        let routes = routes(
            &json!([{"type": "page", "path": "/:grand?/:parent?/:uid",
                "resolvers": {"parent": "parent", "grand": "parent.parent"}}]),
            Some("/404"),
        );
        let mut linked = Linked::new(&known, usize::MAX);
        let mut child = page("child", "en-us");
        child.insert("data".to_owned(), json!({"parent": link("p")}));
        assert_eq!(routes.url_of(&child, &mut linked).as_deref(), Some("/grand/parent/child"));
        child.insert("data".to_owned(), json!({"parent": link("g")}));
        assert_eq!(routes.url_of(&child, &mut linked).as_deref(), Some("/grand/child"));
        let mut data = json!({"to": link("p"), "gone": {"link_type": "Document", "id": "x", "isBroken": true},
            "web": {"link_type": "Web", "url": "https://a.example"}});
        data["to"]["uid"] = "parent".into();
        routes.fill_links(&mut data, &mut linked);
        assert_eq!(data["to"]["url"], "/grand/parent");
        assert_eq!(data["gone"]["url"], "/404");
        assert_eq!(data["web"]["url"], "https://a.example");
        assert!(linked.into_missing().is_empty());
    }

    #[test]
    fn routes_that_cannot_be_read_are_refused() {
        for (text, said) in [
            ("{}", "a list of routes"),
            ("[{\"type\":\"a\"}]", "missing field `path`"),
            (r#"[{"type":"a","path":"x"}]"#, "does not begin with /"),
            (r#"[{"type":"a","path":"/:nope"}]"#, "':nope'"),
            (r#"[{"type":"a","path":"/:p","resolvers":{"p":"a..b"}}]"#, "the resolver 'p'"),
        ] {
            let error = Routes::parse(text, None, None).expect_err(text);
            assert!(error.message.contains(said), "{text}: {}", error.message);
        }
        assert!(Routes::parse("[]", None, None).expect("no routes").is_none());
    }
}
