// The official clients that write build a repository in an empty sandbox, and read back what they
// wrote: models with the client of the Types API, media and documents with `migrate()`. The client
// writes once in 1.5 seconds, so this takes its time. At the end what they built is snapshotted,
// restored into another repository and snapshotted again.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createClient, createMigration, createWriteClient } from "@prismicio/client";
import {
    ConflictError,
    ForbiddenError,
    InvalidPayloadError,
    NotFoundError,
    createClient as createTypesClient,
} from "@prismicio/custom-types-client";
import { encode } from "./png.mjs";
import { variable } from "./support.mjs";

const NAME = "acme-new";
const token = variable("WRITE_TOKEN");

const typesClient = (options = {}) =>
    createTypesClient({ repositoryName: NAME, endpoint: variable("TYPES_API"), token, ...options });
const writeClient = (options = {}) =>
    createWriteClient(NAME, {
        documentAPIEndpoint: variable("NEW_API"),
        assetAPIEndpoint: variable("ASSET_API"),
        migrationAPIEndpoint: variable("MIGRATION_API"),
        writeToken: token,
        ...options,
    });
/** A client that has not read anything yet. */
const reader = () => createClient(NAME, { documentAPIEndpoint: variable("NEW_API") });

const text = { type: "Text", config: { label: "Text" } };
const rich = { type: "StructuredText", config: { label: "Rich", multi: "paragraph,strong,hyperlink,image,embed,heading2" } };
const link = (select, more = {}) => ({ type: "Link", config: { label: "Link", select, ...more } });
const group = (fields) => ({ type: "Group", config: { label: "Group", fields } });

const hero = {
    id: "hero",
    type: "SharedSlice",
    name: "Hero",
    description: "Hero",
    variations: [
        {
            id: "default",
            name: "Default",
            docURL: "…",
            version: "initial",
            description: "Default",
            imageUrl: "",
            primary: { heading: text, picture: { type: "Image", config: { label: "Picture" } }, facts: group({ fact: text }) },
            items: { call: link(null) },
        },
    ],
};

const page = {
    id: "page",
    label: "Page",
    repeatable: true,
    status: true,
    format: "custom",
    json: {
        Main: {
            uid: { type: "UID", config: { label: "UID" } },
            title: { type: "StructuredText", config: { label: "Title", single: "heading1" } },
            name: text,
            body_text: rich,
            picture: {
                type: "Image",
                config: { label: "Picture", constraint: {}, thumbnails: [{ name: "square", width: 20, height: 20 }] },
            },
            related: link("document"),
            others: link(null, { repeat: true, allowText: true }),
            sheet: link("media"),
            website: link("web", { allowTargetBlank: true }),
            day: { type: "Date", config: { label: "Day" } },
            time: { type: "Timestamp", config: { label: "Time" } },
            count: { type: "Number", config: { label: "Count" } },
            flag: { type: "Boolean", config: { label: "Flag" } },
            color: { type: "Color", config: { label: "Color" } },
            choice: { type: "Select", config: { label: "Choice", options: ["one", "two"] } },
            place: { type: "GeoPoint", config: { label: "Place" } },
            video: { type: "Embed", config: { label: "Video" } },
            item: { type: "IntegrationFields", config: { label: "Item", catalog: "shop" } },
            table: { type: "Table", config: { label: "Table" } },
            people: group({ person: text, links: group({ to: link(null) }) }),
        },
        Slices: { slices: { type: "Slices", fieldset: "Slices", config: { choices: { hero: { type: "SharedSlice" } } } } },
    },
};

const paragraph = (content, spans = []) => ({ type: "paragraph", text: content, spans });
const titled = (content) => [{ type: "heading1", text: content, spans: [] }];

test("types and slices are inserted, changed, read and removed", async () => {
    const client = typesClient();
    // What a new sandbox has.
    for (const { id } of await client.getAllCustomTypes()) await client.removeCustomType(id);
    for (const { id } of await client.getAllSharedSlices()) await client.removeSharedSlice(id);
    assert.deepEqual([await client.getAllCustomTypes(), await client.getAllSharedSlices()], [[], []]);

    await client.insertSharedSlice(hero);
    await client.insertCustomType({ ...page, label: "Wrong" });
    await assert.rejects(client.insertCustomType(page), ConflictError);
    await client.updateCustomType(page);
    assert.deepEqual(await client.getCustomTypeByID("page"), page);
    assert.deepEqual(await client.getSharedSliceByID("hero"), hero);
    assert.deepEqual(Object.keys((await client.getCustomTypeByID("page")).json.Main), Object.keys(page.json.Main));

    await assert.rejects(client.updateSharedSlice({ ...hero, id: "none" }), NotFoundError);
    await assert.rejects(client.getCustomTypeByID("none"), NotFoundError);
    await assert.rejects(client.insertCustomType({ id: "wrong", json: { Main: { a: { type: "None" } } } }), InvalidPayloadError);
    await assert.rejects(typesClient({ token: "wrong" }).getAllCustomTypes(), ForbiddenError);
    await client.bulkUpdate([
        { type: "SLICE_INSERT", id: "second", payload: { ...hero, id: "second" } },
        { type: "SLICE_DELETE", id: "second", payload: { id: "second" } },
    ]);
    assert.deepEqual(await client.getAllSharedSlices(), [hero]);
});

test("a migration is there after its publish, as it was meant", async () => {
    const client = writeClient();
    const migration = createMigration();
    const picture = migration.createAsset(encode(60, 40, () => [201, 73, 73]), "Harbour at dawn.png", {
        alt: "Harbour",
        notes: "of the new repository",
        credits: "A. Person",
        tags: ["press", "harbour"],
    });
    const sheet = migration.createAsset(new TextEncoder().encode("%PDF-1.4\n%%EOF"), "Sheet.pdf", { tags: ["press"] });

    const first = migration.createDocument(
        {
            type: "page",
            uid: "first",
            lang: "en-us",
            tags: ["news"],
            data: {
                title: titled("The first page"),
                name: "First",
                body_text: [
                    { type: "heading2", text: "Below", spans: [] },
                    paragraph("to the second", [
                        { type: "strong", start: 0, end: 2 },
                        { type: "hyperlink", start: 3, end: 13, data: () => migration.getByUID("page", "second") },
                    ]),
                    { type: "image", id: picture, linkTo: () => migration.getByUID("page", "second") },
                    { type: "embed", oembed: { type: "link", embed_url: "https://video.example/1" } },
                ],
                picture: { id: picture, square: picture },
                related: () => migration.getByUID("page", "second"),
                others: [
                    { link_type: "Web", url: "https://site.example/", text: "Site" },
                    () => migration.getByUID("page", "second"),
                    { link_type: "Media", id: sheet },
                ],
                sheet: { link_type: "Media", id: sheet },
                website: { link_type: "Web", url: "https://site.example/a?b=c", target: "_blank" },
                day: "2024-02-29",
                time: "2024-02-29T12:30:00+0000",
                count: 4.5,
                flag: true,
                color: "#c94949",
                choice: "two",
                place: { latitude: 48.85, longitude: 2.35 },
                video: { embed_url: "https://video.example/2" },
                item: { id: "item-7" },
                table: { body: { rows: [{ cells: [{ type: "data", content: [paragraph("cell")] }] }] } },
                people: [{ person: "Anna", links: [{ to: () => migration.getByUID("page", "second") }] }],
                slices: [
                    {
                        slice_type: "hero",
                        variation: "default",
                        primary: { heading: "Hero", picture, facts: [{ fact: "one" }, { fact: "two" }] },
                        items: [{ call: { link_type: "Web", url: "https://site.example/" } }],
                    },
                    { slice_type: "unknown", variation: "default", primary: {}, items: [] },
                ],
                not_in_the_model: "dropped",
            },
        },
        "First",
    );
    migration.createDocument(
        { type: "page", uid: "second", lang: "en-us", tags: [], data: { title: titled("Zweite"), related: first } },
        "Second",
    );
    migration.createDocument(
        { type: "page", uid: "premier", lang: "fr-fr", tags: [], data: { title: titled("Première") } },
        "Premier",
        { masterLanguageDocument: first },
    );
    const events = [];
    await client.migrate(migration, { reporter: ({ type, data }) => events.push([type, data]) });
    assert.deepEqual(events.at(-1), ["end", { migrated: { documents: 3, assets: 2 } }]);
    assert.equal((await reader().get({ lang: "*" })).total_results_size, 0, "nothing is published yet");
    assert.deepEqual(await client.publishMigrationRelease(), { totalItems: 3 });

    const read = await reader().getByUID("page", "first");
    const second = await reader().getByUID("page", "second");
    const french = await reader().getByUID("page", "premier", { lang: "fr-fr" });
    const data = read.data;
    assert.deepEqual(read.tags, ["news"]);
    assert.deepEqual(read.slugs, ["the-first-page"]);
    assert.equal(read.first_publication_date, read.last_publication_date);
    const inFrench = { id: french.id, type: "page", lang: "fr-fr", uid: "premier" };
    assert.deepEqual(read.alternate_languages, [inFrench]);
    assert.deepEqual(french.alternate_languages, [{ id: read.id, type: "page", lang: "en-us", uid: "first" }]);

    // Links both ways.
    for (const to of [data.related, data.others[1], data.body_text[1].spans[1].data, data.body_text[2].linkTo, data.people[0].links[0].to]) {
        assert.deepEqual([to.id, to.uid, to.isBroken, to.slug], [second.id, "second", false, "zweite"]);
    }
    assert.equal(second.data.related.id, read.id);
    assert.equal(data.others[0].text, "Site");
    assert.ok(data.others.every(({ key }) => key));

    // Media.
    assert.equal(data.sheet.name, "Sheet.pdf");
    assert.equal(data.sheet.size, "14");
    assert.deepEqual(data.picture.dimensions, { width: 60, height: 40 });
    assert.deepEqual([data.picture.alt, data.picture.copyright], ["Harbour", "A. Person"]);
    assert.deepEqual(data.picture.square.dimensions, { width: 20, height: 20 });
    const original = await fetch(data.picture.url.split("?")[0]);
    assert.deepEqual(Buffer.from(await original.arrayBuffer()), Buffer.from(encode(60, 40, () => [201, 73, 73])));
    const assets = await fetch(`${variable("ASSET_API")}/assets?limit=10`, {
        headers: { repository: NAME, authorization: `Bearer ${token}` },
    }).then((answer) => answer.json());
    assert.deepEqual(assets.items.map(({ filename, tags }) => [filename, tags.map(({ name }) => name).sort()]), [
        ["Sheet.pdf", ["press"]],
        ["Harbour at dawn.png", ["harbour", "press"]],
    ]);

    // Everything else.
    for (const [field, expected] of Object.entries({
        name: "First",
        website: { link_type: "Web", url: "https://site.example/a?b=c", target: "_blank" },
        day: "2024-02-29",
        time: "2024-02-29T12:30:00+0000",
        count: 4.5,
        flag: true,
        color: "#c94949",
        choice: "two",
        place: { latitude: 48.85, longitude: 2.35 },
    })) {
        assert.deepEqual(data[field], expected, field);
    }
    assert.equal(data.video.embed_url, "https://video.example/2");
    assert.equal(data.item.id, "item-7");
    assert.equal(data.table.body.rows[0].cells[0].content[0].text, "cell");
    assert.ok(data.table.body.rows[0].key);
    const [slice, ...more] = data.slices;
    assert.deepEqual([slice.slice_type, slice.variation, slice.version, slice.slice_label], ["hero", "default", "initial", null]);
    assert.match(slice.id, /^hero\$[0-9a-f-]{36}$/);
    assert.deepEqual(slice.primary.facts, [{ fact: "one" }, { fact: "two" }]);
    assert.equal(slice.primary.picture.id, data.picture.id);
    assert.deepEqual(more, []);
    assert.equal("not_in_the_model" in data, false);
});

test("documents from another repository are migrated as they were read", async () => {
    const client = writeClient();
    const before = await reader().getByUID("page", "first");
    const migration = createMigration();
    const copy = migration.createDocumentFromPrismic({ ...before, uid: "copy", alternate_languages: [] }, "Copy");
    copy.document.data.name = "Copied";
    await client.migrate(migration);
    assert.deepEqual(await client.publishMigrationRelease(), { totalItems: 1 });
    const after = await reader().getByUID("page", "copy");
    assert.notEqual(after.id, before.id);
    assert.equal(after.data.name, "Copied");
    assert.notEqual(after.data.picture.id, before.data.picture.id, "its files were uploaded anew");
    assert.deepEqual(after.data.picture.square.dimensions, before.data.picture.square.dimensions);
    assert.equal(after.data.related.link_type, "Document", "what it links to is not in the migration");
    assert.equal(after.data.related.id, undefined);
    // A second document of this uid is refused, and the client says why.
    const again = createMigration();
    again.createDocument({ type: "page", uid: "copy", lang: "en-us", tags: [], data: {} }, "Again");
    await assert.rejects(client.migrate(again), /A document with this UID already exists/);
    await assert.rejects(writeClient({ writeToken: "wrong" }).publishMigrationRelease(), /explicit deny/);
});

test("a type with documents stays", async () => {
    await assert.rejects(typesClient().removeCustomType("page"), /associated documents/);
});

/** The documents of a snapshot that was restored as files, by id. */
function documentsIn(directory) {
    const files = readdirSync(join(directory, "documents"), { recursive: true, withFileTypes: true });
    const documents = files.filter((file) => file.isFile()).map((file) => JSON.parse(readFileSync(join(file.parentPath ?? file.path, file.name))));
    return new Map(documents.map((document) => [document.id, document]));
}

/** What editors wrote, with ids as `documents` and `assets` say; less what Prismic makes up itself. */
function written(value, documents, assets) {
    if (Array.isArray(value)) return value.map((element) => written(element, documents, assets));
    if (value === null || typeof value !== "object") return value;
    const isImage = "dimensions" in value && "alt" in value;
    const isSlice = "slice_type" in value;
    const members = Object.entries(value).filter(([name]) => !["first_publication_date", "last_publication_date"].includes(name));
    return Object.fromEntries(
        members.map(([name, member]) => {
            if (name === "id" && isSlice) return [name, "made up"];
            if (name === "id" && (isImage || value.link_type === "Media")) return [name, assets(member)];
            if (name === "id" && value.link_type === "Document") return [name, documents(member)];
            // The address of a file has its id; what comes after it says which part is shown.
            if (name === "url" && (isImage || value.link_type === "Media")) return [name, member.split("?")[1] ?? ""];
            return [name, written(member, documents, assets)];
        }),
    );
}

test("what was built is restored into another repository, and two snapshots are the same but for ids", () => {
    const report = JSON.parse(execFileSync(variable("REBUILD"), { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
    assert.equal(report.exit_code, 0);
    assert.deepEqual([report.read_back.defects, report.possible_orphans, report.problems], [0, [], []]);
    const [before, after] = [documentsIn(variable("WRITTEN")), documentsIn(variable("RESTORED"))];
    assert.equal(before.size, 4);
    assert.equal(after.size, before.size);
    const newId = (kind) => (id) => report.ids[kind][id] ?? `none for ${id}`;
    const same = (id) => id;
    for (const [id, old] of before) {
        const restored = after.get(report.ids.documents[id]);
        assert.ok(restored, `${id} is there`);
        assert.notEqual(restored.id, id);
        assert.deepEqual([restored.type, restored.lang, restored.uid, restored.tags, restored.slugs], [old.type, old.lang, old.uid, old.tags, old.slugs]);
        const translations = (document, map) => document.alternate_languages.map((one) => map(one.id)).sort();
        assert.deepEqual(translations(restored, same), translations(old, newId("documents")));
        assert.deepEqual(written(restored.data, same, same), written(old.data, newId("documents"), newId("assets")), id);
    }
    const assetsIn = (directory) => readdirSync(join(directory, "assets")).length;
    assert.equal(assetsIn(variable("RESTORED")), assetsIn(variable("WRITTEN")));
});
