//! Writes whole documents: the members around `data`, and the fields of each custom type.

use std::sync::Arc;

use super::fields::Fields;
use super::json::Json;
use super::plan::{Plan, PlannedDocument};
use super::random::Random;
use super::slices::body;
use super::words::{Person, town};
use crate::contentapi::{ASSET_HOST, Document, format_millis};
use crate::sandbox::SandboxError;

const THUMBNAILS: &[(&str, u32, u32)] = &[("32:15", 1600, 750), ("square", 600, 600)];

/// Writes a document; `revision` other than 0 gives another content for the same document.
pub(super) fn document(
    plan: &Plan,
    planned: &PlannedDocument,
    revision: u64,
) -> Result<Arc<Document>, SandboxError> {
    let mut json = Json::with_capacity(8 << 10);
    let random = Random::new(&[planned.seed, revision]);
    json.begin('{').member("id", &planned.id).key("uid");
    match &planned.uid {
        Some(uid) => json.text(uid),
        None => json.null(),
    };
    json.member("type", planned.type_id).key("tags").begin('[');
    for tag in &planned.tags {
        json.text(tag);
    }
    json.end(']');
    for (name, date) in [
        ("first_publication_date", planned.published.map(|(first, _)| first)),
        ("last_publication_date", planned.published.map(|(_, last)| last)),
    ] {
        match date {
            Some(at) => json.member(name, &format_millis(at)),
            None => json.key(name).null(),
        };
    }
    json.key("slugs").begin('[').text(&planned.slug);
    if planned.seed.is_multiple_of(9) {
        json.text("an-earlier-title");
    }
    json.end(']').raw_member("linked_documents", "[]").member("lang", &plan.languages[planned.lang as usize]);
    json.key("alternate_languages").begin('[');
    for other in &plan.documents[planned.group.0 as usize..planned.group.1 as usize] {
        if other.id != planned.id {
            json.begin('{').member("id", &other.id).member("type", other.type_id);
            json.member("lang", &plan.languages[other.lang as usize]);
            if let Some(uid) = &other.uid {
                json.member("uid", uid);
            }
            json.end('}');
        }
    }
    json.end(']').key("data").begin('{');
    json.ascii = planned.seed.is_multiple_of(11);
    let mut fields = Fields { json, random, plan, document: planned };
    data(&mut fields);
    let mut json = fields.json;
    json.end('}').end('}');
    Document::parse(&json.finish(), &[ASSET_HOST])
        .map(Arc::new)
        .map_err(|source| SandboxError::Document { id: planned.id.clone(), source })
}

fn data(fields: &mut Fields<'_>) {
    match fields.document.type_id {
        "homepage" => homepage(fields),
        "settings" => settings(fields),
        "navigation" => navigation(fields),
        "blog_post" => blog_post(fields),
        "author" => author(fields),
        "team_member" => team_member(fields),
        "event" => event(fields),
        "product" => product(fields),
        "location" => location(fields),
        "faq" => faq(fields),
        "landing_page" => landing_page(fields),
        _ => page(fields),
    }
}

fn heading(f: &mut Fields<'_>) {
    let document = f.document;
    f.title("title", &document.title);
}

/// What search engines are told. Documents last published before these fields were added to the
/// models do not have them.
fn search_engines(f: &mut Fields<'_>) {
    const ADDED: i64 = 1_577_836_800_000;
    if f.document.published.is_none_or(|(_, last)| last > ADDED) {
        f.text("meta_title", 5);
        f.text("meta_description", 14);
        f.image("meta_image", &[]);
    }
}

fn homepage(f: &mut Fields<'_>) {
    heading(f);
    f.image("hero_image", THUMBNAILS);
    f.rich("intro", 3);
    f.links("featured", &["blog_post", "event", "product"]);
    body(f, 5);
    search_engines(f);
}

fn settings(f: &mut Fields<'_>) {
    let person = Person::new(&mut f.random);
    f.json
        .member("site_name", "Studio Lindenau")
        .member("contact_email", &person.email)
        .member("phone", &person.phone);
    f.image("logo", &[]);
    f.rich("imprint", 4);
    f.json.member("brand_color", "#c94949").raw_member("tracking", "false").key("social").begin('[');
    for platform in ["Fediverse", "Video"] {
        f.json.begin('{').member("platform", platform).key("profile");
        f.web_link();
        f.json.end('}');
    }
    f.json.end(']');
}

fn navigation(f: &mut Fields<'_>) {
    f.json.key("items").begin('[');
    for _ in 0..3 + f.random.below(3) {
        f.json.begin('{');
        f.text("label", 2);
        f.json.key("link");
        f.document_link(&["page", "landing_page"]);
        f.json.key("children").begin('[');
        for _ in 0..f.random.below(4) {
            f.json.begin('{');
            f.text("label", 2);
            f.json.key("link");
            f.any_link();
            f.json.end('}');
        }
        f.json.end(']').end('}');
    }
    f.json.end(']');
}

fn page(f: &mut Fields<'_>) {
    heading(f);
    f.json.key("parent");
    if f.random.one_in(3) {
        f.document_link(&["page"]);
    } else {
        f.json.raw(r#"{"link_type":"Document"}"#);
    }
    body(f, 3);
    search_engines(f);
}

fn landing_page(f: &mut Fields<'_>) {
    heading(f);
    f.json.member("ends_at", "2027-02-03T12:13:14+0000").key("call");
    f.any_link();
    body(f, 3);
    search_engines(f);
}

fn blog_post(f: &mut Fields<'_>) {
    heading(f);
    f.text("excerpt", 18);
    f.image("cover", THUMBNAILS);
    f.json.key("author");
    f.document_link(&["author"]);
    let day = 1 + f.random.below(28);
    f.json.member("published_on", &format!("20{:02}-{:02}-{day:02}", 18 + day % 8, 1 + day % 12));
    // One value that is no option any more.
    let category = *f.random.pick(&["Design", "Research", "Studio", "Misc (old)"]);
    f.json.member("category", category);
    let minutes = f.random.below(20);
    f.json.raw_member("reading_minutes", &format!("{minutes}.0"));
    f.rich("content", 5);
    f.json.key("attachments").begin('[');
    for _ in 0..f.random.below(3) {
        f.media_link();
    }
    f.json.end(']').key("related").begin('[');
    match f.random.below(3) {
        0 => {}
        1 => {
            f.json.raw("{}");
        }
        _ => {
            f.json.begin('{').key("post");
            f.document_link(&["blog_post"]);
            f.json.end('}');
        }
    }
    f.json.end(']');
    body(f, 2);
    search_engines(f);
}

fn author(f: &mut Fields<'_>) {
    let document = f.document;
    let person = Person::new(&mut f.random);
    f.json.member("name", &document.title).member("email", &person.email);
    f.image("portrait", &[("square", 400, 400)]);
    f.rich("biography", 5);
    f.json.key("website");
    f.web_link();
}

fn team_member(f: &mut Fields<'_>) {
    let document = f.document;
    let person = Person::new(&mut f.random);
    let (given, family) = document.title.split_once(' ').unwrap_or((person.given, person.family));
    f.json.member("given_name", given).member("family_name", family).member("email", &person.email);
    // A number field that holds a telephone number: it occurs.
    if f.random.one_in(4) {
        f.json.raw_member("phone", "33199001217");
    } else {
        f.json.member("phone", &person.phone);
    }
    f.text("role", 3);
    f.image("portrait", &[("square", 400, 400)]);
    f.rich("biography", 4);
    f.json.key("office");
    f.document_link(&["location"]);
    f.table("deputies");
}

fn event(f: &mut Fields<'_>) {
    heading(f);
    let day = 1 + f.random.below(28);
    f.json.member("starts_at", &format!("2026-{:02}-{day:02}T18:30:00+0000", 1 + day % 12));
    f.json.key("ends_at").null();
    f.geopoint("position");
    f.json.key("place");
    f.document_link(&["location"]);
    f.rich("description", 4);
    f.json.key("speakers").begin('[');
    for _ in 0..f.random.below(4) {
        f.json.begin('{').key("speaker");
        f.document_link(&["team_member", "author"]);
        f.text("topic", 5);
        f.json.end('}');
    }
    f.json.end(']').key("recording");
    if f.random.one_in(2) {
        f.embed();
    } else {
        f.json.raw("{}");
    }
    let price = f.random.below(40);
    f.json.raw_member("price", &format!("{price}.5"));
    search_engines(f);
}

fn product(f: &mut Fields<'_>) {
    heading(f);
    let (price, item) = (f.random.below(400), f.random.below(1_000_000));
    // `10.0`, as the API writes it.
    f.json.raw_member("price", &format!("{price}.0")).member("sku", &format!("SL-{item:06}"));
    f.json.member("color", "#4a7").raw_member("in_stock", if price % 3 == 0 { "false" } else { "true" });
    f.rich("description", 3);
    f.json.key("gallery").begin('[');
    for _ in 0..f.random.below(4) {
        f.json.begin('{');
        f.image("image", THUMBNAILS);
        f.text("caption", 6);
        f.json.end('}');
    }
    f.json.end(']');
    f.table("specification");
    f.json.key("datasheet");
    f.media_link();
    f.json.key("shop_item");
    if f.random.one_in(4) {
        f.json.null();
    } else {
        let image = format!("https://shop.example/media/{item}.jpg");
        f.json.begin('{').key("id").number(item).member("title", "Lamp").member("vendor", "Lindenau");
        f.json.member("image", &image).raw_member("variants", r#"[{"price":"10.0","sku":null}]"#).end('}');
    }
}

fn location(f: &mut Fields<'_>) {
    heading(f);
    let (town, number) = (town(&mut f.random), f.random.below(90) + 1);
    f.json.member("address", &format!("{number} Harbour Lane\n{town}"));
    f.geopoint("position");
    f.table("contacts");
    f.rich("directions", 5);
}

fn faq(f: &mut Fields<'_>) {
    heading(f);
    f.rich("answer", 6);
    f.json.key("topics").begin('[');
    for _ in 0..f.random.below(3) {
        f.json.begin('{');
        f.text("topic", 2);
        f.json.end('}');
    }
    f.json.end(']');
    search_engines(f);
}
