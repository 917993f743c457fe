//! What documents and assets there will be, before their content is written: links need the id,
//! slug, language and dates of documents that come later.

use std::collections::HashMap;

use super::SyntheticOptions;
use super::files::{FileFormat, GeneratedFile};
use super::random::Random;
use super::words::{Person, phrase, slug};
use crate::contentapi::{ASSET_HOST, Millis};

/// The custom types, with how many of a hundred groups are of each; 0: one document a language.
pub(super) const TYPES: [(&str, &str, usize); 12] = [
    ("homepage", "Homepage", 0),
    ("settings", "Settings", 0),
    ("navigation", "Navigation", 0),
    ("page", "Page", 14),
    ("landing_page", "Landing page", 6),
    ("blog_post", "Blog post", 36),
    ("author", "Author", 5),
    ("team_member", "Team member", 8),
    ("event", "Event", 11),
    ("product", "Product", 12),
    ("location", "Location", 3),
    ("faq", "FAQ", 5),
];

const TAGS: [&str; 7] = ["featured", "news", "case study", "archived-2023", "Été", "öffentlich", "press"];

/// 2018-03-01 and about eight years later.
const FIRST_DAY: Millis = 1_519_862_400_000;
const DAYS: usize = 2_900;
const DAY: Millis = 86_400_000;

/// A document to be.
#[derive(Debug, Clone)]
pub(super) struct PlannedDocument {
    pub(super) id: String,
    pub(super) type_id: &'static str,
    pub(super) lang: u8,
    pub(super) uid: Option<String>,
    pub(super) title: String,
    pub(super) slug: String,
    /// Null for a document that a release publishes first.
    pub(super) published: Option<(Millis, Millis)>,
    pub(super) tags: Vec<&'static str>,
    /// First and last of the documents that are translations of one another.
    pub(super) group: (u32, u32),
    /// Decides its content.
    pub(super) seed: u64,
}

/// An asset to be.
#[derive(Debug, Clone)]
pub(super) struct PlannedAsset {
    pub(super) id: String,
    /// Address without parameters, host as [`ASSET_HOST`].
    pub(super) url: String,
    pub(super) filename: String,
    pub(super) created: Millis,
    pub(super) file: GeneratedFile,
    pub(super) alt: Option<String>,
    pub(super) credits: Option<String>,
    pub(super) tag: Option<usize>,
    /// Old images and files have no id in documents.
    pub(super) old: bool,
}

impl PlannedAsset {
    pub(super) fn is_image(&self) -> bool {
        self.file.format != FileFormat::Pdf
    }
}

/// Everything that will be.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) languages: Vec<String>,
    pub(super) documents: Vec<PlannedDocument>,
    pub(super) assets: Vec<PlannedAsset>,
    pub(super) images: Vec<u32>,
    pub(super) files: Vec<u32>,
    by_type: HashMap<(&'static str, u8), Vec<u32>>,
}

impl Plan {
    pub(super) fn new(name: &str, options: &SyntheticOptions) -> Self {
        let mut plan = Self {
            languages: options.languages.clone(),
            documents: Vec::with_capacity(options.documents),
            assets: (0..options.assets).map(|number| asset(name, options, number)).collect(),
            images: Vec::new(),
            files: Vec::new(),
            by_type: HashMap::new(),
        };
        for (number, asset) in (0..).zip(&plan.assets) {
            if asset.is_image() { &mut plan.images } else { &mut plan.files }.push(number);
        }
        let mut group = 0;
        while plan.documents.len() < options.documents {
            plan.add_group(options, group);
            group += 1;
        }
        plan
    }

    fn add_group(&mut self, options: &SyntheticOptions, group: u64) {
        let mut random = Random::new(&[options.seed, 1, group]);
        let singles = TYPES.iter().take_while(|(_, _, share)| *share == 0).count() as u64;
        // One group of each type first, so that small repositories have them all.
        let type_id = match usize::try_from(group) {
            Ok(first) if first < TYPES.len() => TYPES[first].0,
            _ => weighted_type(&mut random),
        };
        let languages: Vec<u8> = (0..u8::try_from(options.languages.len()).unwrap_or(u8::MAX))
            .filter(|lang| if *lang == 0 { group < singles || !random.one_in(16) } else { !random.one_in(3) })
            .collect();
        // A group that no language wanted is in the last one only.
        let languages = if languages.is_empty() {
            vec![u8::try_from(options.languages.len() - 1).unwrap_or(0)]
        } else {
            languages
        };
        let room = options.documents - self.documents.len();
        let from = u32::try_from(self.documents.len()).expect("fewer than 2^32 documents");
        let count = languages.len().min(room);
        let to = from + u32::try_from(count).expect("few languages");
        for lang in languages.into_iter().take(count) {
            let number = u32::try_from(self.documents.len()).expect("fewer than 2^32 documents");
            let document = self.document(&mut random, type_id, lang, (from, to), number);
            self.by_type.entry((type_id, lang)).or_default().push(number);
            self.documents.push(document);
        }
    }

    fn document(
        &self,
        random: &mut Random,
        type_id: &'static str,
        lang: u8,
        group: (u32, u32),
        number: u32,
    ) -> PlannedDocument {
        let language = &self.languages[lang as usize];
        let title = match type_id {
            "author" | "team_member" => Person::new(random).name(),
            _ => {
                let count = 2 + random.below(5);
                phrase(random, language, count)
            }
        };
        let first = day(random);
        let changed = Millis::try_from(random.below(400)).unwrap_or(0) * DAY;
        let newest = FIRST_DAY + Millis::try_from(DAYS).unwrap_or(0) * DAY;
        let last = if random.one_in(3) { first } else { (first + changed + 61_000).min(newest) };
        let tags = (0..random.below(3)).map(|_| *random.pick(&TAGS)).collect::<Vec<_>>();
        let slug = slug(&title);
        let has_uid = !matches!(type_id, "homepage" | "settings" | "navigation");
        PlannedDocument {
            id: random.id(first),
            type_id,
            lang,
            // The number keeps it unique.
            uid: has_uid.then(|| format!("{slug}-{number}")),
            slug,
            title,
            published: Some((first, last.max(first))),
            tags: dedup(tags),
            group,
            seed: random.next(),
        }
    }

    /// Chooses a document of a type in a language, `None` when there is none.
    pub(super) fn target(
        &self,
        random: &mut Random,
        type_id: &'static str,
        lang: u8,
    ) -> Option<&PlannedDocument> {
        let of_type = self.by_type.get(&(type_id, lang))?;
        Some(&self.documents[*random.pick(of_type) as usize])
    }

    /// Chooses an image.
    pub(super) fn image(&self, random: &mut Random) -> Option<&PlannedAsset> {
        (!self.images.is_empty()).then(|| &self.assets[*random.pick(&self.images) as usize])
    }

    /// Chooses a file that is no image.
    pub(super) fn file(&self, random: &mut Random) -> Option<&PlannedAsset> {
        (!self.files.is_empty()).then(|| &self.assets[*random.pick(&self.files) as usize])
    }
}

fn weighted_type(random: &mut Random) -> &'static str {
    let mut left = random.below(100);
    for (id, _, share) in TYPES {
        if left < share {
            return id;
        }
        left -= share;
    }
    "page"
}

fn dedup(tags: Vec<&'static str>) -> Vec<&'static str> {
    tags.iter().enumerate().filter(|(at, tag)| !tags[..*at].contains(tag)).map(|(_, tag)| *tag).collect()
}

fn day(random: &mut Random) -> Millis {
    let seconds = Millis::try_from(random.below(86_400)).unwrap_or(0) * 1000;
    FIRST_DAY + Millis::try_from(random.below(DAYS)).unwrap_or(0) * DAY + seconds
}

/// Plans an asset; those of a repository have the numbers from 0 on.
pub(super) fn asset(name: &str, options: &SyntheticOptions, number: usize) -> PlannedAsset {
    let mut random = Random::new(&[options.seed, 2, number as u64]);
    let created = day(&mut random);
    let id = random.id(created);
    let format = match random.below(20) {
        0..=10 => FileFormat::Jpeg,
        11..=15 => FileFormat::Png,
        16..=17 => FileFormat::Svg,
        _ => FileFormat::Pdf,
    };
    let words = phrase(&mut random, "fr", 2);
    // Names have spaces and marks; addresses do not.
    let filename = format!("{words} {number}.{}", format.extension());
    let file_slug = format!("{}.{}", slug(&words).replace('-', ""), format.extension());
    let url = match (format, random.below(8)) {
        (FileFormat::Svg | FileFormat::Pdf, 0) | (_, 1) => {
            format!("{ASSET_HOST}/{name}%2F{}_{file_slug}", random.uuid())
        }
        _ => format!("{ASSET_HOST}/{name}/{id}_{file_slug}"),
    };
    // Between half and one and a half of the average.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a size"
    )]
    let drawn = (options.asset_bytes as f64 * (0.5 + random.unit())) as u64;
    let len = if number == 0 { options.largest_asset_bytes.unwrap_or(drawn) } else { drawn };
    let (width, height) = *random.pick(&[(1600, 1067), (800, 1200), (1200, 630), (2400, 1600)]);
    PlannedAsset {
        id,
        url,
        filename,
        created,
        file: GeneratedFile { seed: random.next(), format, width, height, len: len.max(200) },
        alt: (!random.one_in(3)).then(|| phrase(&mut random, "en", 5)),
        credits: random.one_in(3).then(|| format!("Photo: {}", Person::new(&mut random).name())),
        tag: random.one_in(4).then(|| random.below(super::library::TAG_NAMES.len())),
        old: random.one_in(12),
    }
}
