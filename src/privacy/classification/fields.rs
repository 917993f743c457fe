//! The fields of models, named as the file names them.

use std::collections::BTreeSet;

use super::{FieldPlace, Owner};
use crate::prismic::model::{ChoiceKind, Field, FieldKind, Model};

/// Names every field that can hold something: of all types and slices, groups and slice zones taken
/// apart. What only lays out the editor has none.
pub fn fields_of<'m>(models: impl IntoIterator<Item = &'m Model>) -> BTreeSet<FieldPlace> {
    let mut found = BTreeSet::new();
    for model in models {
        match model {
            Model::CustomType(custom_type) => {
                let mut names = Names { owner: Owner::Types, id: &custom_type.id, found: &mut found };
                custom_type.fields().for_each(|field| names.field("", field));
            }
            Model::SharedSlice(slice) => {
                let mut names = Names { owner: Owner::Slices, id: &slice.id, found: &mut found };
                for variation in &slice.variations {
                    names.fields(&format!("{}.primary.", variation.id), &variation.primary);
                    names.fields(&format!("{}.items.", variation.id), &variation.items);
                }
            }
        }
    }
    found
}

struct Names<'a> {
    owner: Owner,
    id: &'a str,
    found: &'a mut BTreeSet<FieldPlace>,
}

impl Names<'_> {
    fn fields(&mut self, before: &str, fields: &[Field]) {
        fields.iter().for_each(|field| self.field(before, field));
    }

    fn field(&mut self, before: &str, field: &Field) {
        self.kind(format!("{before}{}", field.name), &field.kind);
    }

    fn kind(&mut self, name: String, kind: &FieldKind) {
        match kind {
            FieldKind::Separator => {}
            FieldKind::Group(fields) => self.fields(&format!("{name}."), fields),
            FieldKind::Slices(choices) => {
                for choice in choices {
                    let name = format!("{name}.{}", choice.id);
                    match &choice.kind {
                        // Its fields are those of the slice itself.
                        ChoiceKind::Shared => {}
                        ChoiceKind::Composite { primary, items } => {
                            self.fields(&format!("{name}.primary."), primary);
                            self.fields(&format!("{name}.items."), items);
                        }
                        ChoiceKind::Legacy(kind) => self.kind(name, kind),
                    }
                }
            }
            _ => {
                self.found.insert(FieldPlace { owner: self.owner, id: self.id.to_owned(), field: name });
            }
        }
    }
}
