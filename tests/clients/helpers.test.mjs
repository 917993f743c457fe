// Every query helper, of both versions of the client: the sandbox, the standby and a plain selection
// from all documents agree.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { select } from "./model.mjs";
import { both, clientOf, ids, libraries, pair, variable } from "./support.mjs";

const places = pair();
let all;

before(async () => {
    all = await clientOf(variable("SERVE_API")).dangerouslyGetAll({ lang: "*" });
    assert.equal(all.length, Number(variable("SANDBOX_DOCUMENTS")));
});

for (const [version, library] of Object.entries(libraries)) {
    describe(`client ${version}`, () => {
        const ask = (name, asked) => test(name, () => asked((work) => both(places, work, { library })));
        const found = (filters, parameters) => ids(select(all, filters, parameters));
        const posts = (parameters) => found([["at", "document.type", "blog_post"]], parameters);
        const anyLanguage = { lang: "*" };

        ask("get", async (both) => {
            const page = await both((client) => client.get());
            assert.deepEqual(ids(page.results), found([]).slice(0, 20));
            assert.equal(page.total_results_size, found([]).length);
            assert.match(page.next_page, /[?&]page=2(&|$)/);
            assert.equal(page.prev_page, null);
        });

        ask("getFirst", async (both) => {
            assert.equal((await both((client) => client.getFirst())).id, found([])[0]);
            const oldest = { orderings: { field: "document.first_publication_date" } };
            const { id } = await both((client) => client.getFirst(oldest));
            assert.equal(id, found([], { orderings: [oldest.orderings] })[0]);
        });

        ask("dangerouslyGetAll", async (both) => {
            const documents = await both((client) => client.dangerouslyGetAll(anyLanguage));
            assert.deepEqual(ids(documents), found([], anyLanguage));
            const some = await both((client) => client.dangerouslyGetAll({ limit: 7, ...anyLanguage }));
            assert.deepEqual(ids(some), found([], anyLanguage).slice(0, 7));
        });

        ask("getByID", async (both) => {
            for (const document of all.slice(0, 40)) {
                const same = await both((client) => client.getByID(document.id, anyLanguage));
                // Only the address of the question that it answers differs.
                assert.deepEqual({ ...same, href: null }, { ...document, href: null });
            }
            await assert.rejects(both((client) => client.getByID("Znothing00000000")), /No documents/);
        });

        ask("getByIDs and getAllByIDs keep the order of the list", async (both) => {
            const wanted = [all[7], all[3], all[120], all[20]].map((document) => document.id);
            const page = await both((client) => client.getByIDs([...wanted, "Znothing00000000"], anyLanguage));
            assert.deepEqual(ids(page.results), wanted);
            const documents = await both((client) => client.getAllByIDs(wanted, anyLanguage));
            assert.deepEqual(ids(documents), wanted);
        });

        ask("getByUID", async (both) => {
            const named = all.filter((document) => document.uid !== null).slice(0, 30);
            for (const { type, uid, id } of named) {
                assert.equal((await both((client) => client.getByUID(type, uid, anyLanguage))).id, id);
            }
            await assert.rejects(both((client) => client.getByUID("page", "no-such-page")), /No documents/);
            // A type that never had a document has no fields to ask for.
            await assert.rejects(both((client) => client.getByUID("nothing", "x")), /unexpected field/);
        });

        ask("getByUIDs and getAllByUIDs", async (both) => {
            const posts = all.filter((document) => document.type === "blog_post").slice(3, 9).reverse();
            const uids = posts.map((document) => document.uid);
            const page = await both((client) => client.getByUIDs("blog_post", uids, anyLanguage));
            assert.deepEqual(ids(page.results), ids(posts));
            const documents = await both((client) => client.getAllByUIDs("blog_post", uids, anyLanguage));
            assert.deepEqual(ids(documents), ids(posts));
        });

        ask("getSingle", async (both) => {
            for (const lang of ["en-us", "fr-fr", "de-de"]) {
                const document = await both((client) => client.getSingle("settings", { lang }));
                assert.deepEqual([document.type, document.lang], ["settings", lang]);
            }
        });

        ask("getByType and getAllByType", async (both) => {
            const page = await both((client) => client.getByType("blog_post", { pageSize: 5 }));
            assert.deepEqual(ids(page.results), posts().slice(0, 5));
            const documents = await both((client) => client.getAllByType("blog_post", anyLanguage));
            assert.deepEqual(ids(documents), posts(anyLanguage));
            assert.deepEqual((await both((client) => client.getByType("nothing"))).results, []);
        });

        ask("getByTag, getByEveryTag, getBySomeTags, and all of each", async (both) => {
            const some = (tags) => found([["any", "document.tags", tags]], anyLanguage);
            const every = (tags) => found([["at", "document.tags", tags]], anyLanguage);
            const tags = ["news", "Été"];
            assert.ok(every(tags).length > 0 && some(tags).length > every(tags).length);
            for (const [name, given, wanted] of [
                ["Tag", "case study", some(["case study"])],
                ["EveryTag", tags, every(tags)],
                ["SomeTags", tags, some(tags)],
            ]) {
                const page = await both((client) => client[`getBy${name}`](given, anyLanguage));
                assert.deepEqual(ids(page.results), wanted.slice(0, 20), name);
                const documents = await both((client) => client[`getAllBy${name}`](given, anyLanguage));
                assert.deepEqual(ids(documents), wanted, name);
            }
        });
    });
}
