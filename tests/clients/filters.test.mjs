// Every filter of the client, on fields of every kind.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { filter } from "@prismicio/client";
import { distance, select } from "./model.mjs";
import { both, clientOf, everyPage, filterOf, ids, libraries, pair, variable, withFilters } from "./support.mjs";

const places = pair();
const anyLanguage = { lang: "*" };
let all;

before(async () => {
    all = await clientOf(variable("SERVE_API")).dangerouslyGetAll({ lang: "*" });
});

const pick = (type, has = () => true) => {
    const found = all.find((document) => document.type === type && has(document));
    assert.ok(found, `there is such a ${type}`);
    return found;
};

/** Filters by name and arguments, made when the documents are known. */
const FILTERS = [
    () => ["at", "document.type", "product"],
    () => ["at", "document.id", pick("faq").id],
    () => ["at", "document.tags", ["press"]],
    () => ["at", "document.tags", ["press", "featured"]],
    () => ["at", "my.author.uid", pick("author").uid],
    () => ["at", "my.blog_post.category", "Studio"],
    () => ["at", "my.product.in_stock", true],
    () => ["at", "my.product.in_stock", false],
    () => ["at", "my.product.price", pick("product").data.price],
    () => ["at", "my.blog_post.published_on", pick("blog_post", ({ data }) => data.published_on).data.published_on],
    () => ["at", "my.blog_post.author", pick("blog_post", ({ data }) => data.author.id).data.author.id],
    () => ["at", "my.event.speakers.speaker", pick("event", ({ data }) => data.speakers[0]?.speaker.id).data.speakers[0].speaker.id],
    () => ["at", "my.faq.topics.topic", pick("faq", ({ data }) => data.topics[0]?.topic).data.topics[0].topic],
    () => ["at", "my.product.nothing", "x"],
    () => ["not", "document.type", "blog_post"],
    () => ["not", "document.tags", ["news"]],
    () => ["not", "my.blog_post.category", "Studio"],
    () => ["not", "my.author.uid", pick("author").uid],
    () => ["any", "document.type", ["faq", "location"]],
    () => ["any", "document.tags", ["öffentlich", "archived-2023"]],
    () => ["any", "document.id", [pick("faq").id, pick("page").id, "Znothing00000000"]],
    () => ["any", "my.blog_post.category", ["Studio", "Design"]],
    () => ["any", "my.blog_post.reading_minutes", [3, 5, 8]],
    () => ["in", "document.id", [pick("page").id, pick("faq").id]],
    () => ["in", "my.faq.uid", [pick("faq").uid]],
    ...["blog_post.author", "blog_post.excerpt", "blog_post.related", "event.position", "homepage.hero_image", "product.datasheet", "blog_post.content", "location.contacts", "event.recording", "team_member.uid"].flatMap(
        (field) => [() => ["has", `my.${field}`], () => ["missing", `my.${field}`]],
    ),
    () => ["numberLessThan", "my.product.price", 100],
    () => ["numberGreaterThan", "my.product.price", 100.5],
    () => ["numberInRange", "my.blog_post.reading_minutes", 3, 6],
    () => ["geopointNear", "my.event.position", 48.8, 2.3, 700],
    () => ["geopointNear", "my.location.position", 52.5, 13.4, 20000],
    ...["document.first_publication_date", "document.last_publication_date", "my.event.starts_at", "my.blog_post.published_on"].flatMap((path) => [
        () => ["dateAfter", path, "2022-06-15"],
        () => ["dateBefore", path, new Date("2021-03-04T05:06:07Z")],
        () => ["dateBetween", path, "2020-01-01", Date.parse("2022-01-01")],
        () => ["dateDayOfMonth", path, 14],
        () => ["dateDayOfMonthAfter", path, 14],
        () => ["dateDayOfMonthBefore", path, 14],
        () => ["dateDayOfWeek", path, "Tuesday"],
        () => ["dateDayOfWeekAfter", path, "wed"],
        () => ["dateDayOfWeekBefore", path, 3],
        () => ["dateMonth", path, "June"],
        () => ["dateMonthAfter", path, 9],
        () => ["dateMonthBefore", path, "mar"],
        () => ["dateYear", path, 2022],
        () => ["dateHour", path, 12],
        () => ["dateHourAfter", path, 12],
        () => ["dateHourBefore", path, 12],
    ]),
];

const asked = (client, library, filters) => everyPage(client, withFilters(library, filters, anyLanguage));

for (const [version, library] of Object.entries(libraries)) {
    describe(`client ${version}`, () => {
        const build = ([name, ...given]) => filterOf(library)[name](...given);

        test("each filter selects what a plain selection does", async () => {
            const empty = [];
            for (const make of FILTERS) {
                const wanted = make();
                const selected = ids(select(all, [wanted], anyLanguage));
                const found = await both(places, (client) => asked(client, library, [build(wanted)]), { library });
                assert.deepEqual(ids(found), selected, JSON.stringify(wanted));
                if (selected.length === 0) empty.push(wanted.join(" "));
            }
            // Few may find nothing, or the comparison means little.
            assert.ok(empty.length <= FILTERS.length / 5, `these found nothing: ${empty.join("; ")}`);
        });

        test("several filters must all hold", async () => {
            for (const wanted of [
                [["at", "document.type", "blog_post"], ["at", "document.tags", ["news"]], ["has", "my.blog_post.author"]],
                [["at", "document.type", "product"], ["numberGreaterThan", "my.product.price", 50], ["not", "my.product.in_stock", true]],
                [["at", "document.type", "product"], ["at", "document.type", "faq"]],
            ]) {
                const found = await both(places, (client) => asked(client, library, wanted.map(build)), { library });
                assert.deepEqual(ids(found), ids(select(all, wanted, anyLanguage)));
            }
        });

        test("nearest places come first", async () => {
            const near = ["geopointNear", "my.event.position", 45, 5, 1500];
            const found = await both(places, (client) => asked(client, library, [build(near)]), { library });
            const distances = found.map((document) => distance(document.data.position, 45, 5));
            assert.ok(found.length > 2);
            assert.deepEqual(distances, [...distances].sort((a, b) => a - b));
        });
    });
}

test("fulltext finds whole words, in any case, in every field that has text", async () => {
    const studio = pair("STUDIO_");
    const search = (path, words) =>
        both(studio, (client) => everyPage(client, { filters: [filter.fulltext(path, words)], lang: "*" }));
    const uids = async (path, words) => (await search(path, words)).map((document) => document.uid).sort();
    assert.deepEqual(await uids("document", "RAINY monday"), ["opening-day"]);
    assert.deepEqual(await uids("document", "rain"), [], "no stems");
    assert.deepEqual(await uids("document", "shelf"), ["empty-shelf"], "not the description of a picture");
    assert.deepEqual(await uids("document", "café"), ["ben"]);
    assert.deepEqual(await uids("my.post.title", "grid"), ["type-and-grid"]);
    assert.deepEqual(await uids("my.post.title", "monday"), []);
    assert.deepEqual(await uids("my.post.uid", "quiet"), ["quiet-colours"]);
    assert.deepEqual(await uids("my.post.category", "design"), ["quiet-colours", "type-and-grid"]);
    assert.deepEqual(await uids("my.post.related.note", "also"), ["empty-shelf", "opening-day", "quiet-colours", "type-and-grid"]);
    assert.deepEqual(await uids("document", "atelier lindenau"), [null]);
});

test("quotes and backslashes in values are values", async () => {
    const studio = pair("STUDIO_");
    const search = (value) =>
        both(studio, (client) => client.getByType("post", { filters: [filter.at("my.post.text", value)] }));
    const quoted = await search('Colours may be "quiet" and still be seen.');
    assert.deepEqual(quoted.results.map((document) => document.uid), ["quiet-colours"]);
    for (const hostile of ['"', '")][at(document.type, "page', "]]", "\\n", "[[", "\u{1f980}", "%22"]) {
        assert.deepEqual((await search(hostile)).results, [], hostile);
    }
});

test("similar documents share words of names and tags, the document itself is not one", async () => {
    const origin = all.find((document) => document.tags.length > 0 && document.uid);
    for (const most of [1000, 5]) {
        const found = await both(places, (client) =>
            everyPage(client, { filters: [filter.similar(origin.id, most)], lang: "*" }),
        );
        assert.ok(!ids(found).includes(origin.id));
        if (most === 1000) assert.ok(found.length > 3);
    }
    const none = await both(places, (client) => client.get({ filters: [filter.similar("Znothing00000000", 10)] }));
    assert.deepEqual(none.results, []);
});

test("what is no filter is refused with its place", async () => {
    for (const wrong of [
        "[at(document.type]",
        "[nothing(document.type, 1)]",
        '[at(my.nothing.x, "y")]',
        "[at(document.type, [1])]",
        '[fulltext(document.tags, "x")]',
        "[number.lt(my.product.price)]",
        '[date.month(my.event.starts_at, "Smarch")]',
        "",
    ]) {
        await assert.rejects(both(places, (client) => client.get({ filters: [wrong] })), (error) => {
            assert.equal(error.constructor.name, "ParsingError", wrong);
            assert.equal(error.response.type, "parsing-error");
            assert.equal(error.response.pos.location, "query");
            return true;
        });
    }
});
