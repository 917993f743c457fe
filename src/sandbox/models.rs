//! Custom types and shared slices as the Types API lists them.

use serde_json::Value;

use super::error::SandboxError;

/// One model: its JSON as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Id of the type or slice.
    pub id: String,
    /// Name shown to editors; the id when there is none.
    pub label: String,
    /// The whole model.
    pub json: String,
}

impl Model {
    /// Reads a model.
    pub fn parse(json: &str) -> Result<Self, SandboxError> {
        let value: Value =
            serde_json::from_str(json).map_err(|_| SandboxError::InvalidModel("it is not JSON"))?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let id = text("id").ok_or(SandboxError::InvalidModel("it has no id"))?;
        let label = text("label").or_else(|| text("name")).unwrap_or_else(|| id.clone());
        Ok(Self { id, label, json: json.trim().to_owned() })
    }
}

/// All models of a repository, in the order of the listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Models {
    /// Custom types.
    pub custom_types: Vec<Model>,
    /// Shared slices.
    pub slices: Vec<Model>,
}

/// Adds a model, or replaces the one of the same id in its place.
pub(super) fn put(models: &mut Vec<Model>, model: Model) {
    match models.iter_mut().find(|known| known.id == model.id) {
        Some(known) => *known = model,
        None => models.push(model),
    }
}

/// Writes a listing.
pub(super) fn listing(models: &[Model]) -> String {
    let items: Vec<&str> = models.iter().map(|model| model.json.as_str()).collect();
    format!("[{}]", items.join(","))
}
