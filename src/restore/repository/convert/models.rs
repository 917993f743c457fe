//! The models of the target, as documents are written along them.

use std::collections::HashMap;

use crate::prismic::model::{CustomType, Model, SharedSlice};

/// Custom types and shared slices as the target has them when documents are written.
#[derive(Debug, Clone, Default)]
pub struct TargetModels {
    types: HashMap<String, CustomType>,
    slices: HashMap<String, SharedSlice>,
}

impl TargetModels {
    /// Returns these models; of two with one id the later counts.
    pub fn new(models: impl IntoIterator<Item = Model>) -> Self {
        let mut all = Self::default();
        for model in models {
            match model {
                Model::CustomType(model) => {
                    all.types.insert(model.id.clone(), model);
                }
                Model::SharedSlice(model) => {
                    all.slices.insert(model.id.clone(), model);
                }
            }
        }
        all
    }

    /// Returns a custom type by its id.
    pub fn custom_type(&self, id: &str) -> Option<&CustomType> {
        self.types.get(id)
    }

    /// Returns a shared slice by its id.
    pub fn slice(&self, id: &str) -> Option<&SharedSlice> {
        self.slices.get(id)
    }
}
