// Pages, orderings and languages, and queries put together at random.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { filter } from "@prismicio/client";
import { select } from "./model.mjs";
import { both, clientOf, everyPage, ids, isA, pair, variable } from "./support.mjs";

const places = pair();
let all;

before(async () => {
    all = await clientOf(variable("SERVE_API")).dangerouslyGetAll({ lang: "*" });
});

test("pages of any size put together are the whole", async () => {
    for (const pageSize of [1, 7, 100]) {
        const wanted = ids(select(all, [["at", "document.type", "event"]], { lang: "*" }));
        const found = [];
        for (let page = 1; found.length < wanted.length; page++) {
            const answer = await both(places, (client) => client.getByType("event", { lang: "*", pageSize, page }));
            assert.equal(answer.page, page);
            assert.equal(answer.results_per_page, pageSize);
            assert.equal(answer.results_size, answer.results.length);
            assert.equal(answer.total_results_size, wanted.length);
            assert.equal(answer.total_pages, Math.ceil(wanted.length / pageSize));
            assert.equal(answer.next_page === null, page === answer.total_pages);
            assert.equal(answer.prev_page === null, page === 1);
            assert.ok(answer.results.length > 0, "no page is empty before the end");
            found.push(...ids(answer.results));
        }
        assert.deepEqual(found, wanted);
    }
});

test("the addresses of other pages lead there", async () => {
    const first = await clientOf(places.serve).get({ pageSize: 10, lang: "*" });
    const second = await (await fetch(first.next_page)).json();
    assert.deepEqual(ids(second.results), ids(select(all, [], { lang: "*" })).slice(10, 20));
    const back = await (await fetch(second.prev_page)).json();
    assert.deepEqual(back.results, first.results);
});

test("reading goes on after a document", async () => {
    const orderings = [{ field: "document.last_publication_date", direction: "desc" }];
    const wanted = ids(select(all, [], { orderings, lang: "*" }));
    const found = [];
    for (let after; ; after = found.at(-1)) {
        const page = await both(places, (client) => client.get({ orderings, lang: "*", pageSize: 40, after }));
        if (page.results.length === 0) break;
        found.push(...ids(page.results));
    }
    assert.deepEqual(found, wanted);
    const lost = await both(places, (client) => client.get({ after: "Znothing00000000" }));
    assert.deepEqual(lost.results, []);
});

test("a page that cannot be is refused, one beyond the end is empty, one too large is cut", async () => {
    const beyond = await both(places, (client) => client.get({ page: 10_000 }));
    assert.deepEqual([beyond.results, beyond.next_page], [[], null]);
    const large = await both(places, (client) => client.get({ pageSize: 500, lang: "*" }));
    assert.deepEqual([large.results_per_page, large.results.length], [100, 100]);
    for (const wrong of [{ page: 0 }, { page: -1 }, { pageSize: "x" }]) {
        await assert.rejects(both(places, (client) => client.get(wrong)), isA("ParsingError"));
    }
});

const ORDERINGS = [
    [],
    [{ field: "document.first_publication_date" }],
    [{ field: "document.last_publication_date", direction: "desc" }],
    [{ field: "my.product.price" }],
    [{ field: "my.product.price", direction: "desc" }, { field: "document.first_publication_date" }],
    [{ field: "my.blog_post.title" }],
    [{ field: "my.blog_post.category" }, { field: "my.blog_post.published_on", direction: "desc" }],
    [{ field: "my.event.starts_at", direction: "desc" }],
    [{ field: "my.author.uid" }],
    [{ field: "my.product.in_stock" }],
    [{ field: "my.faq.topics.topic" }],
];

test("each ordering orders as a plain comparison does", async () => {
    for (const orderings of ORDERINGS) {
        for (const lang of ["*", "en-us", "de-de"]) {
            const found = await both(places, (client) => everyPage(client, { orderings, lang }));
            assert.deepEqual(ids(found), ids(select(all, [], { orderings, lang })), JSON.stringify(orderings));
        }
    }
});

test("without a language there is the master language, and none that is not there", async () => {
    const found = await both(places, (client) => everyPage(client));
    assert.ok(found.every((document) => document.lang === "en-us"));
    assert.deepEqual((await both(places, (client) => client.get({ lang: "xx-xx" }))).results, []);
    // Translations know each other.
    const translated = all.find((document) => document.alternate_languages.length === 2);
    for (const { id, lang } of translated.alternate_languages) {
        const other = await both(places, (client) => client.getByID(id, { lang }));
        assert.ok(other.alternate_languages.some((back) => back.id === translated.id));
    }
});

/** Numbers from 0 to below 1, the same in every run. */
function random(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

test("300 queries put together at random are answered as a plain selection answers them", async () => {
    const next = random(20261122);
    const below = (count) => Math.floor(next() * count);
    const pick = (list) => list[below(list.length)];
    const document = () => pick(all);
    const makers = [
        () => ["at", "document.type", document().type],
        () => ["not", "document.type", document().type],
        () => ["any", "document.type", [document().type, document().type]],
        () => ["at", "document.id", document().id],
        () => ["in", "document.id", [document().id, document().id, document().id]],
        () => ["any", "document.tags", [pick(["news", "press", "featured"]), "Été"]],
        () => ["not", "document.tags", [pick(["news", "press", "featured"])]],
        () => ["at", "document.tags", [pick(["news", "press", "featured"])]],
        () => ["numberGreaterThan", "my.product.price", below(400)],
        () => ["numberInRange", "my.product.price", below(200), 200 + below(200)],
        () => ["numberLessThan", "my.blog_post.reading_minutes", below(20)],
        () => ["at", "my.blog_post.category", pick(["Design", "Research", "Studio", "Nothing"])],
        () => ["has", pick(["my.product.datasheet", "my.event.recording", "my.blog_post.author"])],
        () => ["missing", pick(["my.product.title", "my.event.place", "my.blog_post.excerpt"])],
        () => ["dateAfter", "document.last_publication_date", `20${18 + below(8)}-0${1 + below(9)}-11`],
        () => ["dateBefore", "document.first_publication_date", Date.UTC(2018 + below(8), below(12))],
        () => ["dateYear", "document.first_publication_date", 2018 + below(8)],
        () => ["dateMonth", "my.event.starts_at", 1 + below(12)],
        () => ["geopointNear", "my.event.position", 36 + below(20), below(18) - 8, 200 + below(2000)],
    ];
    let hits = 0;
    for (let number = 0; number < 300; number++) {
        const filters = Array.from({ length: 1 + below(3) }, () => pick(makers)());
        const parameters = {
            lang: pick(["*", "*", "en-us", "fr-fr"]),
            orderings: pick([[], ...ORDERINGS]),
            pageSize: pick([1, 5, 20, 100]),
            page: 1 + below(2),
        };
        const answer = await both(places, (client) =>
            client.get({ ...parameters, filters: filters.map(([name, ...given]) => filter[name](...given)) }),
        );
        const wanted = ids(select(all, filters, parameters));
        const from = (parameters.page - 1) * parameters.pageSize;
        const what = JSON.stringify([filters, parameters]);
        assert.equal(answer.total_results_size, wanted.length, what);
        assert.deepEqual(ids(answer.results), wanted.slice(from, from + parameters.pageSize), what);
        hits += Number(answer.results.length > 0);
    }
    assert.ok(hits > 100, `only ${hits} found something`);
});
