//! What fields may hold of people, as a privacy officer and the nightly snapshot see it.

use crate::backups::WRITE_TOKEN;
use crate::cli_privacy::Office;

const FILE: &str = "privacy/classification.toml";

impl Office {
    /// Gives every field of the file that has none a class.
    fn decide_all(&self, class: &str) {
        let text = self.place.read(FILE);
        self.place.write(FILE, &text.replace("= \"?\"", &format!("= \"{class}\"")));
    }

    /// Adds a custom type as a developer of the site does.
    fn add_type(&self) {
        let model = r#"{ "id": "visitor_book", "label": "Visitors", "repeatable": true, "status": true,
            "json": { "Main": { "visitor": { "type": "Text", "config": { "label": "Visitor" } } } } }"#;
        self.source.repository.put_custom_type(prismvault::sandbox::Model::parse(model).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_nobody_has_classified_is_told_after_each_snapshot() {
    let office = Office::new();
    // Without write token nobody knows the models, and that is said.
    office.place.expect(0, &["snapshot"]);
    let unknown = office.run(3, &["classify"]);
    assert!(unknown.stdout.contains("write token"), "{unknown:?}");
    office.place.write("token.txt", WRITE_TOKEN);
    let config = office.place.read("prismvault.toml");
    let token = "write_token = { file = \"token.txt\" }\n\n[limits]";
    office.place.write("prismvault.toml", &config.replacen("[limits]", token, 1));
    // Somebody works on requests here, and nobody has said anything of the fields.
    let first = office.place.expect(0, &["snapshot"]);
    assert!(first.stderr.contains("privacy classify --write"), "{first:?}");
    office.run(0, &["classify"]);
    assert!(!office.place.file(FILE).exists());
    office.run(6, &["classify", "--check"]);
    let dry = office.run(0, &["classify", "--write", "--dry-run"]);
    assert!(dry.stdout.contains("Would add") && !office.place.file(FILE).exists(), "{dry:?}");
    let wrote = office.json(&["classify", "--write"]);
    let fields = wrote["added"].as_array().unwrap().len();
    assert!(fields > 10, "{wrote}");
    let undecided = office.place.expect(0, &["snapshot"]);
    assert!(
        undecided.stderr.contains(&format!("what {fields} fields")),
        "a question mark is no class: {undecided:?}"
    );
    office.decide_all("none");
    let silent = office.place.expect(0, &["snapshot"]);
    assert!(!silent.stderr.contains("classif"), "{silent:?}");
    office.run(0, &["classify", "--check"]);

    // A new field.
    office.add_type();
    let told = office.place.expect(0, &["snapshot"]);
    assert!(
        told.stderr.contains("1 field of") && told.stderr.contains("types.visitor_book: visitor"),
        "{told:?}"
    );
    let checked = office.run(6, &["classify", "--check"]);
    assert!(checked.stdout.contains("types.visitor_book: visitor (no class)"), "{checked:?}");
    office.run(0, &["classify", "--write"]);
    office.decide_all("name");
    office.run(0, &["classify", "--check"]);

    // A mistake in the file is told with its line, and ends no snapshot.
    let text = office.place.read(FILE);
    office.place.write(FILE, &text.replace("visitor = \"name\"", "visitor = \"nam\""));
    let wrong = office.place.expect(0, &["snapshot"]);
    assert!(
        wrong.stderr.contains("classification.toml:") && wrong.stderr.contains("is none of"),
        "{wrong:?}"
    );
    office.run(2, &["classify"]);
}
