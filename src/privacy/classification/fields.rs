//! The fields of models, named as the file names them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use super::{FieldPlace, Owner};
use crate::ids::ItemId;
use crate::prismic::model::{ChoiceKind, Field, FieldKind, Model};
use crate::progress::Problem;
use crate::restore::{OpenSnapshot, RestoreError, Result};
use crate::vault::item::ItemKind;

/// Names every field that can hold something, of models as the Types API gives them: of all types and
/// slices, groups and slice zones taken apart. What only lays out the editor has none. Models that
/// cannot be read are left out, and counted.
pub fn fields_of<'m>(models: impl IntoIterator<Item = &'m [u8]>) -> (BTreeSet<FieldPlace>, usize) {
    let (mut found, mut unread) = (BTreeSet::new(), 0);
    for bytes in models {
        let model = serde_json::from_slice(bytes).ok().and_then(|value| Model::parse(&value).ok());
        match &model {
            None => unread += 1,
            Some(model) => found.extend(of_models([model])),
        }
    }
    (found, unread)
}

/// Names the fields of the models of a snapshot. A model that cannot be read is a problem.
///
/// # Errors
///
/// When the catalog cannot be read.
pub async fn fields_of_snapshot(snapshot: &OpenSnapshot<'_>) -> Result<(BTreeSet<FieldPlace>, Vec<Problem>)> {
    let catalog = snapshot.catalog().await?;
    let is_model = |path: &str| ItemKind::of_path(path) == Some(ItemKind::Model);
    let models: BTreeMap<ItemId, String> = catalog
        .into_iter()
        .filter(|entry| is_model(&entry.path))
        .map(|entry| (entry.item, entry.path.into_string()))
        .collect();
    let (mut found, mut problems) = (BTreeSet::new(), Vec::new());
    let items: Vec<ItemId> = models.keys().copied().collect();
    snapshot
        .reader()
        .for_each(items, async |item, data| {
            let mut bytes = Vec::new();
            let read = match data {
                Ok(mut data) => {
                    let read = data.reader().and_then(|mut reader| reader.read_to_end(&mut bytes));
                    read.map(drop).map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            let (fields, unread) = fields_of([&bytes[..]]);
            found.extend(fields);
            let path = models.get(&item).map(String::as_str).unwrap_or_default();
            match read {
                Err(error) => problems.push(Problem::new("model-unread", path, error)),
                Ok(()) if unread > 0 => {
                    problems.push(Problem::new("model-unread", path, "it is no model that can be read"));
                }
                Ok(()) => {}
            }
            Ok::<_, RestoreError>(())
        })
        .await?;
    Ok((found, problems))
}

fn of_models<'m>(models: impl IntoIterator<Item = &'m Model>) -> BTreeSet<FieldPlace> {
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
