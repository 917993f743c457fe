//! What the models of a repository say about fields: the Types API's JSON, read into kinds.
//!
//! The Content API sends values without types, and [`walk`](super::walk) recognises them by their
//! shape. Whoever must know what a field *may* hold (a restore, a drill, the sandbox) reads the
//! model of its custom type here, once, and goes along the values with it.
//!
//! **Why this way.** Prismic's own decoders are lenient, and repositories are old: numbers come as
//! strings, sides of images as `"auto"` or `"300px"`, lists as single strings. So reading a model
//! fails only where there is nothing to read; a field of a kind that nobody knows is
//! [`FieldKind::Unknown`], and what a configuration says in a form that nobody knows counts as not
//! said. Whether a model is one that Prismic would take is another question, which is not asked here.
//!
//! **Invariants.** Order is that of the JSON, which is the order in the editor. The JSON itself is
//! not kept: models are stored as they came, never printed from this.
//!
//! **Crash.** Nothing is kept anywhere.

use serde_json::{Map, Value};

/// Kinds of blocks of rich text that are text; the others are images and embeds.
pub const TEXT_BLOCKS: [&str; 10] = [
    "heading1",
    "heading2",
    "heading3",
    "heading4",
    "heading5",
    "heading6",
    "paragraph",
    "preformatted",
    "list-item",
    "o-list-item",
];

/// Why a text is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Not an object.
    #[error("the model is not an object")]
    NotAnObject,
    /// Nothing to tell it from others.
    #[error("the model has no id")]
    NoId,
    /// Neither tabs of fields nor variations.
    #[error("the model {0:?} has neither fields nor variations")]
    NoFields(String),
}

/// A model of the Types API.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// What documents are made of.
    CustomType(CustomType),
    /// A slice that custom types share.
    SharedSlice(SharedSlice),
}

/// The model of documents of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomType {
    /// Its id: `type` of documents.
    pub id: String,
    /// Name shown to editors; the id when there is none.
    pub label: String,
    /// Whether there may be more than one document of it in a language.
    pub repeatable: bool,
    /// Whether editors may make documents of it (`status`).
    pub enabled: bool,
    /// Tabs of the editor: name and fields. Documents do not have them: the fields of all tabs are
    /// side by side in `data`.
    pub tabs: Vec<(String, Vec<Field>)>,
    /// Version of the rules it keeps to: what follows `@prismicio/types-internal@`.
    pub schema: Option<String>,
}

/// The model of a shared slice.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedSlice {
    /// Its id: `slice_type` of slices.
    pub id: String,
    /// Name shown to editors.
    pub name: String,
    /// Its variations, at least one.
    pub variations: Vec<Variation>,
}

/// One form of a shared slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Variation {
    /// Its id: `variation` of slices.
    pub id: String,
    /// What slices repeat as their `version`; mostly `initial`.
    pub version: String,
    /// Fields that are there once.
    pub primary: Vec<Field>,
    /// Fields of each item.
    pub items: Vec<Field>,
}

/// One field: its key and what it may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Key in `data`.
    pub name: String,
    /// What it may hold.
    pub kind: FieldKind,
}

/// What a field may hold.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// `true` or `false`; what it is when the editor left it alone.
    Boolean {
        /// Value of a new document.
        default: bool,
    },
    /// `#rrggbb`.
    Color,
    /// `2020-02-03`.
    Date,
    /// `2020-02-03T12:13:14+0000`.
    Timestamp,
    /// An oEmbed answer.
    Embed,
    /// Latitude and longitude.
    GeoPoint,
    /// An image with thumbnails.
    Image(ImageModel),
    /// The copy of an item of a catalog.
    Integration {
        /// Id of the catalog.
        catalog: Option<String>,
    },
    /// A link, or several.
    Link(LinkModel),
    /// A number; Prismic's `Number` and `Range` differ in the editor only.
    Number,
    /// One of some texts.
    Select {
        /// The texts.
        options: Vec<String>,
    },
    /// A line in the editor: nothing in documents.
    Separator,
    /// Rich text; a title is one with a single heading.
    RichText(RichTextModel),
    /// Rows of cells of rich text.
    Table,
    /// A text without format.
    Text,
    /// The document's `uid`: not in `data`.
    Uid,
    /// Objects of fields; may hold one more level of groups.
    Group(Vec<Field>),
    /// Slices.
    Slices(Vec<Choice>),
    /// A kind that is not known; its name.
    Unknown(String),
}

/// What a model says about an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageModel {
    /// Size that editors crop to.
    pub constraint: Sides,
    /// Further crops: name and size.
    pub thumbnails: Vec<(String, Sides)>,
}

/// Width and height in pixels, each where it is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sides {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
}

/// What a model says about a link.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkModel {
    /// To what editors may link.
    pub target: LinkTarget,
    /// Whether the value is a list.
    pub repeat: bool,
    /// Types of documents that editors may link to, with the fields that the API embeds in the
    /// link; empty: any.
    pub types: Vec<LinkedType>,
    /// Whether editors give it a text.
    pub allow_text: bool,
    /// Names of its looks.
    pub variants: Vec<String>,
}

/// Where a link may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkTarget {
    /// Anywhere.
    #[default]
    Any,
    /// To a document of the repository: a content relationship.
    Document,
    /// To a file of the media library.
    Media,
    /// To an address.
    Web,
}

/// A type that a content relationship leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedType {
    /// Id of the custom type.
    pub id: String,
    /// Top-level fields whose values the API copies into the link's `data`.
    pub fields: Vec<String>,
}

/// What a model says about rich text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RichTextModel {
    /// Whether it is one block only.
    pub single: bool,
    /// Names of allowed blocks and formats, as in `single` or `multi`; empty: nothing is said.
    pub allowed: Vec<String>,
    /// Names of labels.
    pub labels: Vec<String>,
}

impl RichTextModel {
    /// Returns whether it holds nothing but one heading: Prismic's title.
    pub fn is_title(&self) -> bool {
        self.single
            && !self.allowed.is_empty()
            && self.allowed.iter().all(|name| name.starts_with("heading") || is_format(name))
            && self.allowed.iter().any(|name| name.starts_with("heading"))
    }
}

fn is_format(name: &str) -> bool {
    matches!(name, "strong" | "em" | "hyperlink" | "rtl")
}

/// A kind of slice that a zone takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// `slice_type` of its slices.
    pub id: String,
    /// What it is.
    pub kind: ChoiceKind,
}

/// What a kind of slice is.
#[derive(Debug, Clone, PartialEq)]
pub enum ChoiceKind {
    /// A shared slice, whose model is one of its own under the same id.
    Shared,
    /// A slice that only this zone has: `primary` and `items`, no variations.
    Composite {
        /// Fields of `primary`.
        primary: Vec<Field>,
        /// Fields of each item.
        items: Vec<Field>,
    },
    /// From before there were composite slices: one field or group in `value`.
    Legacy(FieldKind),
}

impl Model {
    /// Reads a model as the Types API gives it.
    ///
    /// # Errors
    ///
    /// When it is no object, has no id, or neither fields nor variations. What is odd below that is
    /// read as well as it goes.
    pub fn parse(model: &Value) -> Result<Self, ModelError> {
        let model = model.as_object().ok_or(ModelError::NotAnObject)?;
        let id = text(model, "id").filter(|id| !id.is_empty()).ok_or(ModelError::NoId)?.to_owned();
        if let Some(tabs) = model.get("json").and_then(Value::as_object) {
            return Ok(Self::CustomType(CustomType {
                label: text(model, "label").unwrap_or(&id).to_owned(),
                repeatable: flag(model, "repeatable").unwrap_or(true),
                enabled: flag(model, "status").unwrap_or(true),
                tabs: tabs.iter().map(|(name, tab)| (name.clone(), fields(Some(tab)))).collect(),
                schema: text(model, "schema")
                    .map(|schema| schema.rsplit('@').next().unwrap_or(schema).to_owned()),
                id,
            }));
        }
        let variations = model.get("variations").and_then(Value::as_array);
        let variations = variations.ok_or_else(|| ModelError::NoFields(id.clone()))?;
        let name = text(model, "name").unwrap_or(&id).to_owned();
        let variations = variations.iter().filter_map(variation).collect();
        Ok(Self::SharedSlice(SharedSlice { id, name, variations }))
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        match self {
            Self::CustomType(model) => &model.id,
            Self::SharedSlice(model) => &model.id,
        }
    }
}

impl CustomType {
    /// Returns the fields of all tabs, in their order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.tabs.iter().flat_map(|(_, fields)| fields)
    }

    /// Returns whether documents of it have a `uid`.
    pub fn has_uid(&self) -> bool {
        self.fields().any(|field| field.kind == FieldKind::Uid)
    }
}

impl SharedSlice {
    /// Returns a variation by its id.
    pub fn variation(&self, id: &str) -> Option<&Variation> {
        self.variations.iter().find(|variation| variation.id == id)
    }
}

fn variation(model: &Value) -> Option<Variation> {
    let model = model.as_object()?;
    Some(Variation {
        id: text(model, "id")?.to_owned(),
        version: text(model, "version").filter(|text| !text.is_empty()).unwrap_or("initial").to_owned(),
        primary: fields(model.get("primary")),
        items: fields(model.get("items")),
    })
}

/// Reads an object of fields; no object: no fields.
fn fields(models: Option<&Value>) -> Vec<Field> {
    let models = models.and_then(Value::as_object).into_iter().flatten();
    models.map(|(name, model)| Field { name: name.clone(), kind: kind(model) }).collect()
}

fn kind(model: &Value) -> FieldKind {
    let empty = Map::new();
    let Some(model) = model.as_object() else { return FieldKind::Unknown(String::new()) };
    let config = model.get("config").and_then(Value::as_object).unwrap_or(&empty);
    match text(model, "type").unwrap_or_default() {
        "Boolean" => FieldKind::Boolean { default: flag(config, "default_value").unwrap_or(false) },
        "Color" => FieldKind::Color,
        "Date" => FieldKind::Date,
        "Timestamp" => FieldKind::Timestamp,
        "Embed" => FieldKind::Embed,
        "GeoPoint" => FieldKind::GeoPoint,
        "Image" => FieldKind::Image(image(config)),
        "IntegrationFields" => FieldKind::Integration { catalog: text(config, "catalog").map(str::to_owned) },
        "Link" => FieldKind::Link(link(config)),
        "Number" | "Range" => FieldKind::Number,
        "Select" => FieldKind::Select { options: texts(config.get("options")) },
        "Separator" => FieldKind::Separator,
        "StructuredText" => FieldKind::RichText(rich_text(config)),
        "Table" => FieldKind::Table,
        "Text" => FieldKind::Text,
        "UID" => FieldKind::Uid,
        "Group" => FieldKind::Group(fields(config.get("fields"))),
        "Slices" | "Choice" => {
            let choices = config.get("choices").and_then(Value::as_object).into_iter().flatten();
            FieldKind::Slices(choices.map(|(id, model)| choice(id, model)).collect())
        }
        other => FieldKind::Unknown(other.to_owned()),
    }
}

fn choice(id: &str, model: &Value) -> Choice {
    let kind = match model.get("type").and_then(Value::as_str) {
        Some("SharedSlice") => ChoiceKind::Shared,
        Some("Slice") => ChoiceKind::Composite {
            primary: fields(model.get("non-repeat")),
            items: fields(model.get("repeat")),
        },
        _ => ChoiceKind::Legacy(kind(model)),
    };
    Choice { id: id.to_owned(), kind }
}

fn image(config: &Map<String, Value>) -> ImageModel {
    let thumbnails = config.get("thumbnails").and_then(Value::as_array).into_iter().flatten();
    let thumbnail = |model: &Value| {
        let name = model.get("name").and_then(Value::as_str)?;
        Some((name.to_owned(), sides(Some(model))))
    };
    ImageModel {
        constraint: sides(config.get("constraint")),
        thumbnails: thumbnails.filter_map(thumbnail).collect(),
    }
}

fn sides(model: Option<&Value>) -> Sides {
    let side = |key: &str| model.and_then(|model| model.get(key)).and_then(pixels);
    Sides { width: side("width"), height: side("height") }
}

/// Reads a side: a number, or a text such as `300px`; `auto`, nothing and 0 fix nothing.
fn pixels(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().trim_end_matches("px").trim_end().parse().ok()?,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    let whole = (1.0..=f64::from(u32::MAX)).contains(&number).then(|| number.round() as u32);
    whole
}

fn link(config: &Map<String, Value>) -> LinkModel {
    let types = match config.get("customtypes") {
        Some(Value::Array(types)) => types.iter().filter_map(linked_type).collect(),
        Some(one @ Value::String(_)) => linked_type(one).into_iter().collect(),
        _ => Vec::new(),
    };
    LinkModel {
        target: match text(config, "select") {
            Some("document") => LinkTarget::Document,
            Some("media") => LinkTarget::Media,
            Some("web") => LinkTarget::Web,
            _ => LinkTarget::Any,
        },
        repeat: flag(config, "repeat").unwrap_or(false),
        types,
        allow_text: flag(config, "allowText").unwrap_or(false),
        variants: texts(config.get("variants")),
    }
}

fn linked_type(model: &Value) -> Option<LinkedType> {
    if let Some(id) = model.as_str() {
        return Some(LinkedType { id: id.to_owned(), fields: Vec::new() });
    }
    let fields = model.get("fields").and_then(Value::as_array).into_iter().flatten();
    let fields = fields.filter_map(|field| Some(field.as_str()?.to_owned())).collect();
    Some(LinkedType { id: model.get("id")?.as_str()?.to_owned(), fields })
}

fn rich_text(config: &Map<String, Value>) -> RichTextModel {
    let single = text(config, "single");
    let allowed = single.or_else(|| text(config, "multi")).unwrap_or_default();
    let names = allowed.split(',').map(str::trim).filter(|name| !name.is_empty());
    RichTextModel {
        single: single.is_some(),
        allowed: names.map(str::to_owned).collect(),
        labels: texts(config.get("labels")),
    }
}

fn text<'m>(model: &'m Map<String, Value>, key: &str) -> Option<&'m str> {
    model.get(key).and_then(Value::as_str)
}

/// Reads a flag; older models have it as text.
fn flag(model: &Map<String, Value>, key: &str) -> Option<bool> {
    match model.get(key)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Reads a list of texts, also one that is a single text; of labels, which were objects, the keys.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
        }
        Some(Value::Object(members)) => members.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn custom_type(model: &Value) -> CustomType {
        match Model::parse(model).expect("a model") {
            Model::CustomType(model) => model,
            Model::SharedSlice(_) => panic!("not a slice"),
        }
    }

    fn one(field: Value) -> FieldKind {
        let model = custom_type(&json!({ "id": "t", "json": { "Main": { "f": field } } }));
        model.fields().next().expect("a field").kind.clone()
    }

    #[test]
    fn a_custom_type_is_read_with_its_tabs_in_order_and_the_defaults_of_prismic() {
        let model = custom_type(&json!({
            "id": "page", "label": "Page", "schema": "@prismicio/types-internal@4.5.0",
            "json": {
                "Main": { "uid": { "type": "UID" }, "title": { "type": "StructuredText", "config": { "single": "heading1,strong" } } },
                "SEO": { "z": { "type": "Text" }, "a": { "type": "Range" }, "line": { "type": "Separator" } },
            },
        }));
        assert_eq!((model.repeatable, model.enabled, model.schema.as_deref()), (true, true, Some("4.5.0")));
        assert_eq!(model.tabs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Main", "SEO"]);
        let names: Vec<&str> = model.fields().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["uid", "title", "z", "a", "line"]);
        assert!(model.has_uid());
        let FieldKind::RichText(title) = &model.tabs[0].1[1].kind else { panic!("rich text") };
        assert!(title.is_title());
        assert_eq!(model.tabs[1].1[1].kind, FieldKind::Number);
    }

    #[test]
    fn a_slice_zone_tells_shared_composite_and_legacy_slices_apart() {
        let text = json!({ "type": "Text" });
        let kind = one(json!({ "type": "Choice", "config": { "choices": {
            "hero": { "type": "SharedSlice" },
            "video": { "type": "Slice", "non-repeat": { "a": text }, "repeat": {} },
            "notice": { "type": "Group", "config": { "fields": { "b": text } } },
        } } }));
        let field = |name: &str| Field { name: name.to_owned(), kind: FieldKind::Text };
        let choice = |id: &str, kind| Choice { id: id.to_owned(), kind };
        assert_eq!(
            kind,
            FieldKind::Slices(vec![
                choice("hero", ChoiceKind::Shared),
                choice("video", ChoiceKind::Composite { primary: vec![field("a")], items: Vec::new() }),
                choice("notice", ChoiceKind::Legacy(FieldKind::Group(vec![field("b")]))),
            ])
        );
        let slice = json!({ "id": "hero", "type": "SharedSlice", "name": "Hero", "variations": [
            { "id": "default", "version": "sktwi1xtmkfgx8626", "primary": { "a": text }, "items": {} },
            { "name": "without id" },
            { "id": "wide" },
        ] });
        let Model::SharedSlice(slice) = Model::parse(&slice).expect("a model") else { panic!("a slice") };
        assert_eq!(slice.variations.len(), 2);
        assert_eq!(slice.variation("default").map(|variation| variation.primary.len()), Some(1));
        assert_eq!(slice.variation("wide").map(|variation| variation.version.as_str()), Some("initial"));
        assert_eq!(slice.variation("tall"), None);
    }

    #[test]
    fn odd_forms_are_read_as_prismic_reads_them() {
        let sides = |width, height| Sides { width, height };
        let FieldKind::Image(image) = one(json!({ "type": "Image", "config": {
            "constraint": { "width": "auto", "height": "300px" },
            "thumbnails": [{ "name": "32:15", "width": "3200", "height": null }, { "width": 3 }, { "name": "n", "width": "", "height": 0 }],
        } })) else {
            panic!("an image")
        };
        assert_eq!(image.constraint, sides(None, Some(300)));
        let expected = [("32:15".to_owned(), sides(Some(3200), None)), ("n".to_owned(), sides(None, None))];
        assert_eq!(image.thumbnails, expected);
        let FieldKind::Link(link) = one(json!({ "type": "Link", "config": {
            "select": "document", "repeat": true, "allowText": true, "variants": ["Primary"],
            "customtypes": ["page", { "id": "author", "fields": ["name", { "id": "nested" }] }],
        } })) else {
            panic!("a link")
        };
        assert_eq!((link.target, link.repeat, link.allow_text), (LinkTarget::Document, true, true));
        assert_eq!(link.types[1], LinkedType { id: "author".to_owned(), fields: vec!["name".to_owned()] });
        let options = vec!["a".to_owned()];
        assert_eq!(
            one(json!({ "type": "Select", "config": { "options": "a" } })),
            FieldKind::Select { options }
        );
        assert_eq!(
            one(json!({ "type": "Boolean", "config": { "default_value": "true" } })),
            FieldKind::Boolean { default: true }
        );
    }

    #[test]
    fn what_nobody_knows_is_named_and_what_is_no_model_refused() {
        assert_eq!(one(json!({ "type": "Hologram" })), FieldKind::Unknown("Hologram".to_owned()));
        assert_eq!(one(json!(7)), FieldKind::Unknown(String::new()));
        assert_eq!(one(json!({ "type": "Slices", "config": 3 })), FieldKind::Slices(Vec::new()));
        for (model, expected) in [
            (json!([]), ModelError::NotAnObject),
            (json!({ "json": {} }), ModelError::NoId),
            (json!({ "id": "x" }), ModelError::NoFields("x".to_owned())),
        ] {
            assert_eq!(Model::parse(&model), Err(expected));
        }
    }
}
