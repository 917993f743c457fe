//! Custom types and shared slices as the Types API lists them.

use std::collections::HashSet;

use serde_json::Value;

use super::error::SandboxError;
use super::type_rules::{check_custom_type, check_slice};
use crate::prismic::model as parsed;

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

/// Which of the two a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    CustomType,
    Slice,
}

impl Kind {
    /// Returns its part of the addresses.
    pub(super) fn segment(self) -> &'static str {
        match self {
            Self::CustomType => "customtypes",
            Self::Slice => "slices",
        }
    }

    pub(super) fn of(self, models: &Models) -> &[Model] {
        match self {
            Self::CustomType => &models.custom_types,
            Self::Slice => &models.slices,
        }
    }
}

/// Why models do not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ModelRefused {
    #[error("there is already a model {0:?}")]
    Exists(String),
    #[error("there is no model {0:?}")]
    Unknown(String),
    #[error("{0}")]
    Invalid(String),
    #[error("the custom type {0:?} has associated documents")]
    HasDocuments(String),
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

    /// Reads a model that somebody sends, by the rules of the Types API.
    pub(super) fn checked(kind: Kind, json: &str) -> Result<Self, ModelRefused> {
        let invalid = |error: &dyn std::fmt::Display| ModelRefused::Invalid(error.to_string());
        let value: Value = serde_json::from_str(json).map_err(|error| invalid(&error))?;
        match kind {
            Kind::CustomType => check_custom_type(&value).map(|_| ()),
            Kind::Slice => check_slice(&value).map(|_| ()),
        }
        .map_err(|error| invalid(&error))?;
        Self::parse(json).map_err(|error| invalid(&error))
    }

    fn read(&self) -> Option<parsed::Model> {
        let value: Value = serde_json::from_str(&self.json).ok()?;
        parsed::Model::parse(&value).ok()
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

impl Models {
    fn of_mut(&mut self, kind: Kind) -> &mut Vec<Model> {
        match kind {
            Kind::CustomType => &mut self.custom_types,
            Kind::Slice => &mut self.slices,
        }
    }

    /// Adds a model, or replaces one.
    pub(super) fn write(&mut self, kind: Kind, model: Model, is_new: bool) -> Result<(), ModelRefused> {
        let known = kind.of(self).iter().any(|known| known.id == model.id);
        match (known, is_new) {
            (true, true) => Err(ModelRefused::Exists(model.id)),
            (false, false) => Err(ModelRefused::Unknown(model.id)),
            _ => {
                put(self.of_mut(kind), model);
                Ok(())
            }
        }
    }

    /// Removes a model; `used` are the types that have documents.
    pub(super) fn remove(
        &mut self,
        kind: Kind,
        id: &str,
        used: &HashSet<String>,
    ) -> Result<(), ModelRefused> {
        let models = self.of_mut(kind);
        let at = models.iter().position(|model| model.id == id);
        let at = at.ok_or_else(|| ModelRefused::Unknown(id.to_owned()))?;
        if kind == Kind::CustomType && used.contains(id) {
            return Err(ModelRefused::HasDocuments(id.to_owned()));
        }
        models.remove(at);
        Ok(())
    }

    /// Reads the model of a custom type.
    pub(super) fn custom_type(&self, id: &str) -> Option<parsed::CustomType> {
        match self.custom_types.iter().find(|model| model.id == id)?.read()? {
            parsed::Model::CustomType(model) => Some(model),
            parsed::Model::SharedSlice(_) => None,
        }
    }

    /// Reads the model of a shared slice.
    pub(super) fn slice(&self, id: &str) -> Option<parsed::SharedSlice> {
        match self.slices.iter().find(|model| model.id == id)?.read()? {
            parsed::Model::SharedSlice(model) => Some(model),
            parsed::Model::CustomType(_) => None,
        }
    }
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
