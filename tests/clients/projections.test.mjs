// What a query wants of documents: fetch, fetchLinks, graphQuery, and routes with brokenRoute.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { asHTML, asLink } from "@prismicio/client";
import { both, clientOf, everyPage, isA, libraries, pair } from "./support.mjs";

const studio = pair("STUDIO_");
const synthetic = pair();

const ROUTES = [
    { type: "homepage", path: "/:lang?" },
    { type: "page", path: "/:lang?/:grandparent?/:parent?/:uid", resolvers: { parent: "parent", grandparent: "parent.parent" } },
    { type: "post", uid: "opening-day", path: "/first" },
    { type: "post", path: "/blog/:uid" },
    { type: "author", path: "/people/:author", resolvers: { author: "home" } },
];

for (const [version, library] of Object.entries(libraries)) {
    describe(`client ${version}`, () => {
        const ask = (work, options = {}) => both(studio, work, { library, ...options });

        test("routes give documents and links the paths of the site", async () => {
            const routes = { routes: ROUTES, brokenRoute: "/not-found" };
            const documents = await ask((client) => everyPage(client, { lang: "*" }), routes);
            const urls = Object.fromEntries(documents.map(({ uid, lang, url }) => [uid ?? lang, url]));
            assert.deepEqual(urls, {
                "en-us": "/",
                "fr-fr": "/fr-fr",
                services: "/services",
                "services-fr": "/fr-fr/services-fr",
                design: "/services/design",
                logos: "/services/design/logos",
                "opening-day": "/first",
                "type-and-grid": "/blog/type-and-grid",
                "quiet-colours": "/blog/quiet-colours",
                "empty-shelf": "/blog/empty-shelf",
                // A resolver that leads nowhere, in a part that is not optional.
                ada: null,
                ben: null,
            });
            const home = documents.find(({ type, lang }) => type === "homepage" && lang === "en-us");
            assert.deepEqual(home.data.featured.map(({ url }) => url), ["/first", "/blog/quiet-colours"]);
            assert.match(asHTML(home.data.intro), /<a href="\/first">our opening day<\/a>/);
            assert.match(asHTML(home.data.intro), /<a href="\/not-found">This page<\/a>/);
            const post = documents.find(({ uid }) => uid === "type-and-grid");
            assert.equal(asLink(post.data.related[0].post), "/services");
        });

        test("routes may be given with a query, and those that cannot be read are refused", async () => {
            const [route] = ROUTES;
            const { url } = await ask((client) => client.getSingle("homepage", { routes: [route] }));
            assert.equal(url, "/");
            const plain = await ask((client) => client.getSingle("homepage"));
            assert.equal(plain.url, null);
            for (const wrong of [{ type: "page", path: "no-slash" }, { type: "page", path: "/:nothing" }]) {
                await assert.rejects(ask((client) => client.get({ routes: [wrong] })), (error) => {
                    assert.equal(error.constructor.name, "ParsingError");
                    assert.equal(error.response.pos.location, "routes");
                    return true;
                });
            }
        });

        test("fetch keeps the fields that it names", async () => {
            const post = await ask((client) => client.getByUID("post", "opening-day", { fetch: ["post.title", "post.reading"] }));
            assert.deepEqual(Object.keys(post.data).sort(), ["reading", "title"]);
            const other = await ask((client) => client.getByUID("page", "design", { fetch: "post.title" }));
            assert.deepEqual(other.data, {});
        });

        test("fetchLinks puts fields of the target into links", async () => {
            const parameters = { fetchLinks: ["author.name", "author.portrait", "page.title"] };
            const post = await ask((client) => client.getByUID("post", "opening-day", parameters));
            assert.equal(post.data.author.data.name, "Ada Brandt");
            assert.equal(post.data.author.data.portrait.alt, "Ada");
            assert.equal(post.data.body[1].primary.source.data.name, "Ada Brandt");
            assert.equal(post.data.related[0].post.data.title[0].text, "Services");
            assert.equal((await ask((client) => client.getByUID("post", "opening-day"))).data.author.data, undefined);
        });

        test("graphQuery selects fields, slices, and fields of what is linked", async () => {
            const graphQuery = `{
                post {
                    title
                    author { ...on author { name home } }
                    body { ...on quote { variation { ...on default { primary { quote } } } } }
                    related { note post { ...on page { title parent { ...on page { title } } } } }
                }
            }`;
            const post = await ask((client) => client.getByUID("post", "quiet-colours", { graphQuery }));
            assert.deepEqual(Object.keys(post.data).sort(), ["author", "body", "related", "title"]);
            assert.equal(post.data.author.data.name, "Ben Café");
            assert.deepEqual(post.data.body.map((slice) => slice.slice_type), ["quote"]);
            assert.deepEqual(Object.keys(post.data.body[0].primary), ["quote"]);
            assert.equal(post.data.related[0].note, "see also");
            assert.equal(post.data.related[0].post.data.title[0].text, "Services");
            const all = "{ post { ...postFields } }";
            const whole = await ask((client) => client.getByUID("post", "quiet-colours", { graphQuery: all }));
            assert.equal(whole.data.category, "Design");
            for (const wrong of ["{", "{post{", "post", "{post{title}}}", `${"{a".repeat(200)}`]) {
                await assert.rejects(ask((client) => client.get({ graphQuery: wrong })), isA("ParsingError"));
            }
        });
    });
}

test("the same of a whole repository", async () => {
    const ask = (parameters) =>
        both(synthetic, (client) => everyPage(client, { lang: "*", pageSize: 50, ...parameters }));
    const count = (await ask({})).length;
    for (const parameters of [
        { fetch: ["product.price", "blog_post.title"] },
        { fetchLinks: ["author.name", "page.title", "blog_post.category", "team_member.email", "product.price"] },
        { graphQuery: "{blog_post{title author{name} related{post{title author{name}}}} page{...pageFields parent{title}} homepage{featured{...on blog_post{title}}}}" },
        {
            routes: [
                { type: "homepage", path: "/:lang?" },
                { type: "page", path: "/:lang?/:parent?/:uid", resolvers: { parent: "parent" } },
                { type: "blog_post", path: "/:lang?/blog/:author/:uid", resolvers: { author: "author" } },
                { type: "product", path: "/:lang/shop/:uid" },
            ],
            brokenRoute: "/404",
        },
    ]) {
        const documents = await ask(parameters);
        assert.equal(documents.length, count);
    }
});

test("a link to a document that the snapshot does not have stays what it is", async () => {
    const home = await clientOf(studio.serve).getSingle("homepage", { fetchLinks: "page.title" });
    const { data } = home.data.intro[2].spans[0];
    assert.deepEqual([data.isBroken, data.data], [true, undefined]);
});
