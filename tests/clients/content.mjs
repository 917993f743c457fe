// Writes a small repository whose every value is known: what `prismvault sandbox --from` reads.
//
//   node content.mjs DIRECTORY
//
// The pictures are real ones, of one colour each, for a browser to show.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "./png.mjs";

/** Name of the repository, part of the addresses of its files. */
export const NAME = "studio-site";

/** The pictures, by name. */
export const PICTURES = {
    hero: { id: "Zpicture00000001", width: 320, height: 200, colour: [201, 73, 73] },
    portrait: { id: "Zpicture00000002", width: 120, height: 180, colour: [40, 110, 180] },
    cover: { id: "Zpicture00000003", width: 240, height: 160, colour: [70, 150, 90] },
};

/** Size of the crop that documents have of each picture. */
export const CROP = { width: 60, height: 60 };

const MASTER = "Zmaster000000001";
const RELEASE = { id: "Zrelease00000001", label: "Spring", scheduledAt: 1798761600000 };

const address = (name) => `https://images.prismic.io/${NAME}/${PICTURES[name].id}_${name}.png`;

function picture(name, alt) {
    const { id, width, height } = PICTURES[name];
    const url = `${address(name)}?auto=format,compress`;
    const edit = { x: 0, y: 0, zoom: 1, background: "transparent" };
    return {
        dimensions: { width, height },
        alt,
        copyright: null,
        url,
        id,
        edit,
        square: {
            dimensions: CROP,
            alt,
            copyright: null,
            url: `${url}&rect=10,10,100,100&w=${CROP.width}&h=${CROP.height}`,
            id,
            edit: { ...edit, x: 10, y: 10 },
        },
    };
}

const paragraph = (text, spans = []) => ({ type: "paragraph", text, spans, direction: "ltr" });
const title = (text) => [{ type: "heading1", text, spans: [], direction: "ltr" }];

/** A link as documents hold it: what was known of its target when they were published. */
function link(target) {
    if (!target) return { link_type: "Document" };
    const { id, uid, type, tags, lang, slugs, first_publication_date, last_publication_date } = target;
    const named = uid === null ? {} : { uid };
    const dates = { first_publication_date, last_publication_date };
    return { id, type, tags, lang, slug: slugs[0], ...dates, ...named, link_type: "Document", isBroken: false };
}
const gone = { id: "Zgone00000000001", type: "broken_type", tags: [], lang: null, slug: "-", link_type: "Document", isBroken: true };

let number = 0;

function document(type, uid, { lang = "en-us", tags = [], day, ...data }) {
    number += 1;
    const id = `Zdocument${String(number).padStart(7, "0")}`;
    const published = `${day ?? "2024-03-01"}T10:${String(number).padStart(2, "0")}:00+0000`;
    return {
        id,
        uid,
        url: null,
        type,
        href: "",
        tags,
        first_publication_date: published,
        last_publication_date: published,
        slugs: [uid ?? type],
        linked_documents: [],
        lang,
        alternate_languages: [],
        data,
    };
}

const slice = (slice_type, primary, items = []) => ({
    variation: "default",
    version: "initial",
    id: `${slice_type}$00000000-0000-4000-8000-${String((number += 1)).padStart(12, "0")}`,
    slice_type,
    slice_label: null,
    primary,
    items,
});

function documents() {
    const ada = document("author", "ada", { name: "Ada Brandt", portrait: picture("portrait", "Ada"), home: link(), day: "2023-05-02" });
    const ben = document("author", "ben", { name: "Ben Café", portrait: {}, home: link(), day: "2023-06-02" });
    const services = document("page", "services", { title: title("Services"), parent: link(), tags: ["menu"] });
    const design = document("page", "design", { title: title("Design"), parent: link(services), tags: ["menu"] });
    const logos = document("page", "logos", { title: title("Logos"), parent: link(design) });
    const post = (uid, author, rest) =>
        document("post", uid, {
            title: title(rest.heading),
            author: link(author),
            cover: picture("cover", rest.heading),
            body: [
                slice("text_block", { text: [paragraph(rest.text)] }),
                slice("quote", { quote: [paragraph("Less, but better.")], source: link(author) }),
            ],
            related: [{ post: link(services), note: "see also" }],
            ...rest,
        });
    const posts = [
        post("opening-day", ada, { heading: "Opening day", text: "We opened the workshop on a rainy Monday.", reading: 3, featured: true, category: "News", on: "2024-01-15", at: "2024-01-15T08:30:00+0000", place: { latitude: 48.8566, longitude: 2.3522 }, tags: ["news", "studio"], day: "2024-01-15" }),
        post("type-and-grid", ada, { heading: "Type and grid", text: "A grid holds the type together.", reading: 8.5, featured: false, category: "Design", on: "2024-02-29", at: "2024-02-29T23:00:00+0000", place: { latitude: 52.52, longitude: 13.405 }, tags: ["design"], day: "2024-02-29" }),
        post("quiet-colours", ben, { heading: "Quiet colours", text: 'Colours may be "quiet" and still be seen.', reading: 5, featured: true, category: "Design", on: "2024-07-01", at: "2024-07-01T12:00:00+0000", place: { latitude: 51.5074, longitude: -0.1278 }, tags: ["design", "studio"], day: "2024-07-01" }),
        post("empty-shelf", ben, { heading: "Empty shelf", text: "Nothing stands on it.", reading: null, featured: null, category: null, on: null, at: null, place: {}, tags: [], day: "2024-08-01" }),
    ];
    const home = document("homepage", null, {
        title: title("Studio Lindenau"),
        hero: picture("hero", "The workshop"),
        intro: [
            paragraph("Read about our opening day.", [{ start: 11, end: 26, type: "hyperlink", data: link(posts[0]) }]),
            { type: "image", ...picture("cover", "A shelf"), square: undefined },
            paragraph("This page is gone.", [{ start: 0, end: 9, type: "hyperlink", data: gone }]),
        ],
        featured: [link(posts[0]), link(posts[2])],
        tags: ["menu"],
        day: "2024-09-01",
    });
    const accueil = document("homepage", null, { lang: "fr-fr", title: title("Atelier Lindenau"), hero: picture("hero", "L’atelier"), intro: [], featured: [], day: "2024-09-02" });
    const services_fr = document("page", "services-fr", { lang: "fr-fr", title: title("Été à l’atelier"), parent: link() });
    for (const [one, other] of [[home, accueil], [services, services_fr]]) {
        const of = ({ id, uid, type, lang }) => (uid === null ? { id, type, lang } : { id, uid, type, lang });
        one.alternate_languages = [of(other)];
        other.alternate_languages = [of(one)];
    }
    return [ada, ben, services, design, logos, ...posts, home, accueil, services_fr];
}

/** Everything: the published documents and those of the release. */
export function content() {
    number = 0;
    const published = documents();
    const changed = structuredClone(published.find((one) => one.uid === "opening-day"));
    changed.data.title = title("Opening day, again");
    const fresh = { ...document("page", "spring-sale", { title: title("Spring sale"), parent: link() }) };
    fresh.first_publication_date = fresh.last_publication_date = null;
    return { published, release: [changed, fresh] };
}

const root = {
    refs: [
        { id: "master", ref: MASTER, label: "Master", isMasterRef: true },
        { ...RELEASE, ref: `Zversion00000001~${MASTER}` },
    ],
    integrationFieldsRef: null,
    bookmarks: {},
    types: { homepage: "Homepage", page: "Page", post: "Post", author: "Author" },
    languages: [
        { id: "en-us", name: "English - United States", is_master: true },
        { id: "fr-fr", name: "French - France", is_master: false },
    ],
    tags: [],
    forms: {},
    version: "8991d98",
    license: "All Rights Reserved",
    experiments: { draft: [], running: [] },
};

function write(directory) {
    const { published, release } = content();
    const lines = (documents) => documents.map((one) => `${JSON.stringify(one)}\n`).join("");
    const assets = Object.entries(PICTURES).map(([name, { id, width, height, colour }]) => {
        const bytes = encode(width, height, () => colour);
        mkdirSync(join(directory, "assets", id), { recursive: true });
        writeFileSync(join(directory, "assets", id, `${name}.png`), bytes);
        return {
            id,
            url: `${address(name)}?auto=format,compress`,
            filename: `${name}.png`,
            extension: "png",
            size: bytes.length,
            kind: "image",
            width,
            height,
            created_at: 1719928035057,
            last_modified: 1719928035057,
            tags: [],
        };
    });
    mkdirSync(join(directory, "releases"), { recursive: true });
    writeFileSync(join(directory, "repository.json"), JSON.stringify(root));
    writeFileSync(join(directory, "documents.jsonl"), lines(published));
    writeFileSync(join(directory, "releases", `${RELEASE.id}.jsonl`), lines(release));
    writeFileSync(join(directory, "tags.json"), JSON.stringify(["design", "menu", "news", "studio"]));
    writeFileSync(join(directory, "assets.json"), JSON.stringify({ items: assets, total: assets.length }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) write(process.argv[2]);
