//! Comparing what leads elsewhere: links, images, embeds.
//!
//! What the API copies into them of their targets (UIDs, tags, dates, embedded data, names and sizes
//! of files, the answer of an embed's provider) is nobody's edit of this document.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::change::{ChangeKind, FieldKind, Step};
use super::fields::{Comparer, names};
use super::shape::{IMAGE_KEYS, crop_of, is_blank, is_image, leads_to_same, shows_same};
use crate::prismic::walk::{Link, as_link};

type Object = Map<String, Value>;

impl Comparer<'_> {
    /// Compares two links; either may lead nowhere.
    pub(super) fn link(&mut self, old: &Object, new: &Object) {
        let (Some(older), Some(newer)) = (as_link(old), as_link(new)) else {
            let (old, new) = (Value::Object(old.clone()), Value::Object(new.clone()));
            return self.plain(FieldKind::Link, ChangeKind::Changed, Some(&old), Some(&new));
        };
        let is_same = leads_to_same(self.identity, older, newer);
        if !is_same {
            let what = match (older, newer) {
                (Link::Media { .. }, Link::Media { .. }) => ChangeKind::Replaced,
                _ => ChangeKind::LinkChanged,
            };
            self.objects(FieldKind::Link, what, old, new);
        }
        for (name, what) in [
            ("text", ChangeKind::LinkTextChanged),
            ("target", ChangeKind::LinkOptionsChanged),
            ("variant", ChangeKind::LinkOptionsChanged),
        ] {
            let (old, new) = (old.get(name), new.get(name));
            if old != new {
                self.at(name, None, |here| here.plain(FieldKind::Link, what, old, new));
            }
        }
        // Another target has other copies.
        if is_same {
            let is_web = matches!(newer, Link::Web { .. });
            let handled = |name: &str| {
                matches!(name, "text" | "target" | "variant" | "id") || (is_web && name == "url")
            };
            self.rest_is_metadata(FieldKind::Link, old, new, &handled);
        }
    }

    /// Compares two images or thumbnails, what is cropped out of them included.
    pub(super) fn image(&mut self, kind: FieldKind, old: &Object, new: &Object) {
        let has_picture = |object: &Object| object.get("url").is_some_and(|url| !is_blank(url));
        let is_replaced = match (has_picture(old), has_picture(new)) {
            (true, true) => !shows_same(self.identity, old, new),
            (false, false) => false,
            (is_older, _) => {
                let what = if is_older { ChangeKind::Removed } else { ChangeKind::Added };
                let (old, new) = (has_picture(old).then_some(old), has_picture(new).then_some(new));
                self.note(kind, what, old.map(owned), new.map(owned));
                false
            }
        };
        let both = has_picture(old) && has_picture(new);
        if is_replaced {
            self.objects(kind, ChangeKind::Replaced, old, new);
        } else if both {
            self.crop(kind, old, new);
        }
        for (name, what) in [("alt", ChangeKind::AltTextChanged), ("copyright", ChangeKind::CopyrightChanged)]
        {
            let (old, new) = (old.get(name), new.get(name));
            if both && old != new {
                self.at(name, None, |here| here.plain(kind, what, old, new));
            }
        }
        let (older, newer) = (old.get("linkTo"), new.get("linkTo"));
        if !self.is_equal(&older, &newer) {
            let step = Step::Field { id: "linkTo".to_owned(), label: Some("link of the image".to_owned()) };
            self.at("linkTo", Some(step), |here| here.value(None, older, newer));
        }
        let is_object =
            |name: &str| [old, new].iter().any(|object| object.get(name).is_some_and(Value::is_object));
        let is_own =
            |name: &str| IMAGE_KEYS.contains(&name) || (matches!(name, "type" | "label") && !is_object(name));
        for name in names(old, new).filter(|name| !is_own(name)) {
            self.thumbnail(name, (old, new), is_replaced);
        }
    }

    /// Compares what is shown of the same picture.
    fn crop(&mut self, kind: FieldKind, old: &Object, new: &Object) {
        let url = |object: &Object| object.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (old_url, new_url) = (url(old), url(new));
        let both = |name: &str| Some((old.get(name)?, new.get(name)?));
        let differs = |name: &str| {
            both(name).is_some_and(|(old, new)| !is_blank(old) && !is_blank(new) && !is_equal(old, new))
        };
        // Parameters of the address come and go with its form; where both have some, they tell.
        let (old_crop, new_crop) = (crop_of(&old_url), crop_of(&new_url));
        let cropped = !old_crop.is_empty() && !new_crop.is_empty() && old_crop != new_crop;
        if differs("edit") || differs("dimensions") || cropped {
            let shown = |object: &Object, url: &str| {
                let member = |name: &str| object.get(name).cloned().unwrap_or_default();
                json!({ "dimensions": member("dimensions"), "edit": member("edit"), "url": url })
            };
            let (old, new) = (shown(old, &old_url), shown(new, &new_url));
            self.note(kind, ChangeKind::CropChanged, Some(Cow::Owned(old)), Some(Cow::Owned(new)));
        } else {
            let handled = |name: &str| match name {
                "id" => both("id").is_some_and(|(old, new)| old.is_string() && new.is_string()),
                name => !matches!(name, "url" | "edit" | "dimensions"),
            };
            self.rest_is_metadata(kind, old, new, &handled);
        }
    }

    /// Compares a further crop. One that follows its image, as most do, is not told of as well.
    fn thumbnail(&mut self, name: &str, (old, new): (&Object, &Object), is_replaced: bool) {
        let (older, newer) = (old.get(name), new.get(name));
        if self.is_equal(&older, &newer) {
            return;
        }
        let image = |value: Option<&Value>| {
            value.and_then(Value::as_object).filter(|object| is_image(object)).cloned()
        };
        let step = Step::Thumbnail { name: name.to_owned() };
        match (image(older), image(newer)) {
            (Some(mut older), Some(mut newer)) => {
                if is_replaced
                    && shows_same(self.identity, old, &older)
                    && shows_same(self.identity, &newer, new)
                {
                    for key in ["id", "url", "dimensions", "edit"] {
                        let value = newer.get(key).cloned();
                        older.remove(key);
                        older.extend(value.map(|value| (key.to_owned(), value)));
                    }
                }
                for key in ["alt", "copyright"] {
                    let follows = (older.get(key), newer.get(key)) == (old.get(key), new.get(key));
                    if follows && older.get(key) != newer.get(key) {
                        older.remove(key);
                        newer.remove(key);
                    }
                }
                self.at(name, Some(step), |here| here.image(FieldKind::Thumbnail, &older, &newer));
            }
            (None, Some(_)) | (Some(_), None) => self.at(name, Some(step), |here| {
                // Models get thumbnails, and images have them from then on.
                here.plain(FieldKind::Thumbnail, ChangeKind::Metadata, older, newer);
            }),
            (None, None) => self.at(name, None, |here| {
                here.plain(FieldKind::Object, ChangeKind::Changed, older, newer);
            }),
        }
    }

    /// Compares two embeds. What their provider says of them changes by itself.
    pub(super) fn embed(&mut self, old: &Object, new: &Object) {
        if old.get("embed_url") != new.get("embed_url") {
            return self.objects(FieldKind::Embed, ChangeKind::Changed, old, new);
        }
        self.rest_is_metadata(FieldKind::Embed, old, new, &|_| false);
    }

    pub(super) fn objects(&mut self, kind: FieldKind, what: ChangeKind, old: &Object, new: &Object) {
        self.note(kind, what, Some(owned(old)), Some(owned(new)));
    }
}

pub(super) fn owned(object: &Object) -> Cow<'static, Value> {
    Cow::Owned(Value::Object(object.clone()))
}

/// Whether two values are equal, however their numbers are written.
fn is_equal(old: &Value, new: &Value) -> bool {
    super::shape::is_same(&super::SameIds, old, new)
}
