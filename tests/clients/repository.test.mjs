// What a repository says of itself, releases, who may read, and what is refused.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "@prismicio/client";
import { both, clientOf, everyPage, ids, libraries, pair, refsOf, variable } from "./support.mjs";

const studio = pair("STUDIO_");
const synthetic = pair();

for (const [version, library] of Object.entries(libraries)) {
    describe(`client ${version}`, () => {
        const ask = (places, work, options = {}) => both(places, work, { library, ...options });

        test("the root names languages, types, refs and forms", async () => {
            for (const places of [synthetic, studio]) {
                const root = await ask(places, async (client) => {
                    const { integrationFieldsRef, ...rest } = await client.getRepository();
                    return rest;
                });
                assert.ok(root.languages[0].is_master);
                assert.ok(root.forms.everything.action.endsWith("/api/v2/documents/search"));
                const [master] = root.refs;
                assert.ok(master.isMasterRef);
                assert.deepEqual(await clientOf(places.serve, {}, library).getMasterRef(), master);
                assert.deepEqual(await clientOf(places.serve, {}, library).getRefByID("master"), master);
            }
        });

        test("the collection of a form holds what its query selects", async () => {
            const root = await ask(synthetic, async (client) => (await client.getRepository()).forms.blog);
            assert.match(root.fields.q.default, /blog_post/);
        });

        test("tags", async () => {
            assert.deepEqual(await ask(studio, (client) => client.getTags()), ["design", "menu", "news", "studio"]);
            assert.ok((await ask(synthetic, (client) => client.getTags())).includes("Été"));
        });

        test("releases lie over the published content", async () => {
            const [release] = await ask(studio, (client) => client.getReleases());
            assert.equal(release.label, "Spring");
            assert.deepEqual(await ask(studio, (client) => client.getReleaseByID(release.id)), release);
            assert.deepEqual(await ask(studio, (client) => client.getReleaseByLabel("Spring")), release);
            for (const choose of [
                (client) => client.queryContentFromReleaseByID(release.id),
                (client) => client.queryContentFromReleaseByLabel("Spring"),
                (client) => client.queryContentFromRef(async () => (await client.getReleaseByLabel("Spring")).ref),
            ]) {
                const [changed, fresh, kept] = await ask(studio, async (client) => {
                    choose(client);
                    const documents = [["post", "opening-day"], ["page", "spring-sale"], ["page", "design"]];
                    return Promise.all(documents.map(([type, uid]) => client.getByUID(type, uid)));
                });
                assert.equal(changed.data.title[0].text, "Opening day, again");
                assert.equal(fresh.first_publication_date, null);
                assert.equal(kept.data.title[0].text, "Design");
            }
            const published = await ask(studio, (client) => client.getByUID("post", "opening-day"));
            assert.equal(published.data.title[0].text, "Opening day");
            await assert.rejects(ask(studio, (client) => client.getByUID("page", "spring-sale")), /No documents/);
            await assert.rejects(clientOf(studio.serve, {}, library).getReleaseByID("nothing"), /could not be found/);
        });

        test("every release of the synthetic repository, document by document", async () => {
            const releases = await ask(synthetic, (client) => client.getReleases());
            assert.ok(releases.length >= 2);
            const contents = [];
            for (const { id } of releases) {
                contents.push(
                    await ask(synthetic, (client) => {
                        client.queryContentFromReleaseByID(id);
                        return everyPage(client, { lang: "*" });
                    }),
                );
            }
            assert.notDeepEqual(ids(contents[0]), ids(contents[1]));
        });

        test("nobody reads a private repository without its token", async () => {
            const places = pair("PRIVATE_");
            const tokens = { sandbox: variable("ACCESS_TOKEN"), serve: variable("SERVE_ACCESS_TOKEN") };
            for (const endpoint of Object.values(places)) {
                for (const accessToken of [undefined, "wrong"]) {
                    const client = clientOf(endpoint, { accessToken }, library);
                    await assert.rejects(client.getFirst(), (error) => {
                        assert.equal(error.constructor.name, "ForbiddenError");
                        assert.match(error.message, /access token/);
                        return true;
                    });
                }
            }
            const documents = await ask(places, (client) => everyPage(client, { lang: "*" }), { tokens });
            assert.ok(documents.length > 0);
            assert.ok((await ask(places, (client) => client.getTags(), { tokens })).length > 0);
            const [release] = await ask(places, (client) => client.getReleases(), { tokens });
            const ofRelease = await ask(
                places,
                (client) => {
                    client.queryContentFromReleaseByID(release.id);
                    return everyPage(client, { lang: "*" });
                },
                { tokens },
            );
            assert.ok(ofRelease.length > documents.length);
            const answer = JSON.stringify([documents, ofRelease]);
            for (const token of Object.values(tokens)) assert.ok(!answer.includes(token), "no answer shows a token");
        });
    });
}

test("a search without or with a wrong token is refused, also where the ref is known", async () => {
    const [endpoint, token] = [variable("PRIVATE_SERVE_API"), variable("SERVE_ACCESS_TOKEN")];
    const [{ ref }] = await refsOf(endpoint, token);
    for (const [query, status] of [["", 403], ["&access_token=wrong", 403], [`&access_token=${token}`, 200]]) {
        const answer = await fetch(`${endpoint}/documents/search?ref=${ref}${query}`);
        assert.equal(answer.status, status);
        const text = await answer.text();
        assert.ok(!text.includes(token));
        if (status === 403) assert.equal(typeof JSON.parse(text).error, "string");
    }
});

test("without a token published content is open, releases are neither listed nor read", async () => {
    const endpoint = variable("FOLLOW_API");
    const client = clientOf(endpoint);
    assert.deepEqual(await client.getReleases(), []);
    const { ref } = await client.getMasterRef();
    const [release] = (await refsOf(variable("SANDBOX_API"))).filter((entry) => !entry.isMasterRef);
    const answer = await fetch(`${endpoint}/documents/search?ref=${release.id}~${ref}`);
    assert.ok([403, 404].includes(answer.status));
    await assert.rejects(client.getReleaseByID(release.id), /could not be found/);
});

test("previews are refused as expired refs are, and the site shows what is published", async () => {
    const preview = "https://acme-blog.prismic.io/previews/ZabcdefghijklmnO:ZabcdefghijklmnP?websitePreviewId=Zabc";
    const cookies = [preview, JSON.stringify({ _tracker: "x", "acme-blog.prismic.io": { preview } })];
    for (const endpoint of Object.values(synthetic)) {
        const plain = clientOf(endpoint);
        const [master] = await refsOf(endpoint);
        const { id, uid } = await plain.getByType("page", { pageSize: 1 }).then(({ results }) => results[0]);
        for (const cookie of cookies) {
            const url = `${endpoint}/documents/search?ref=${encodeURIComponent(cookie)}`;
            const refused = await fetch(url);
            assert.equal(refused.status, 404);
            const { type, message } = await refused.json();
            assert.equal(type, "api_notfound_error");
            assert.ok(message.endsWith(`Master ref is: ${master.ref}`));
            // The client itself goes on with the published content.
            const client = clientOf(endpoint);
            client.enableAutoPreviewsFromReq({ headers: { cookie: `io.prismic.preview=${encodeURIComponent(cookie)}` } });
            assert.equal((await client.getByUID("page", uid)).id, id);
        }
        const address = await plain.resolvePreviewURL({
            documentID: id,
            previewToken: preview,
            linkResolver: (document) => `/pages/${document.uid}`,
            defaultURL: "/",
        });
        assert.equal(address, `/pages/${uid}`);
    }
});

test("a ref that never was says where to go on, and the client goes there by itself", async () => {
    for (const endpoint of Object.values(synthetic)) {
        const [master] = await refsOf(endpoint);
        const refused = await fetch(`${endpoint}/documents/search?ref=Znever0000000000`);
        assert.equal(refused.status, 404);
        assert.ok((await refused.json()).message.endsWith(`Master ref is: ${master.ref}`));
        const page = await clientOf(endpoint, { ref: "Znever0000000000" }).get();
        assert.ok(page.results[0].href.includes(master.ref));
    }
    const none = await fetch(`${synthetic.serve}/documents/search`);
    assert.equal(none.status, 400);
});

test("a browser on another host may read, and what is not asked by GET is refused", async () => {
    const origin = { headers: { origin: "https://site.example" } };
    for (const path of ["", "/documents/search", "/documents/search?ref=x"]) {
        const answer = await fetch(`${synthetic.serve}${path}`, origin);
        assert.equal(answer.headers.get("access-control-allow-origin"), "*", path);
    }
    const preflight = await fetch(`${synthetic.serve}/documents/search`, {
        method: "OPTIONS",
        headers: { ...origin.headers, "access-control-request-method": "GET", "access-control-request-headers": "x-a" },
    });
    assert.ok(preflight.ok);
    for (const method of ["POST", "PUT", "DELETE"]) {
        assert.equal((await fetch(`${synthetic.serve}/documents/search`, { method })).status, 405);
    }
});

test("answers are compressed for whoever takes it, and known again by their tag", async () => {
    const [{ ref }] = await refsOf(synthetic.serve);
    const url = `${synthetic.serve}/documents/search?ref=${ref}&lang=*&pageSize=50`;
    const ask = (headers) => fetch(url, { headers });
    const plain = await ask({ "accept-encoding": "identity" });
    assert.equal(plain.headers.get("content-encoding"), null);
    const text = await plain.text();
    for (const encoding of ["gzip", "br"]) {
        const packed = await ask({ "accept-encoding": encoding });
        assert.equal(packed.headers.get("content-encoding"), encoding);
        assert.ok(Number(packed.headers.get("content-length")) < text.length / 2);
        assert.match(packed.headers.get("vary"), /accept-encoding/i);
        assert.equal(await packed.text(), text);
    }
    const tag = plain.headers.get("etag");
    assert.ok(tag);
    const again = await ask({ "accept-encoding": "identity", "if-none-match": tag });
    assert.deepEqual([again.status, await again.text()], [304, ""]);
});

test("GraphQL is refused with what to use instead", async () => {
    const client = createClient("acme-blog", { documentAPIEndpoint: synthetic.serve });
    const address = synthetic.serve.replace(/\/api\/v2$/, "/graphql");
    const answer = await client.graphQLFetch(`${address}?query={_allDocuments{totalCount}}`);
    assert.equal(answer.status, 501);
    assert.match((await answer.json()).message, /\/api\/v2\/documents\/search/);
});

test("an address of a megabyte is refused at once", async () => {
    for (const endpoint of Object.values(synthetic)) {
        const url = `${endpoint}/documents/search?ref=x&q=${"[".repeat(1 << 20)}`;
        const answer = await fetch(url).catch(() => undefined);
        // Whoever answers before all of it was sent may cut the connection.
        if (answer) assert.ok([400, 414, 431].includes(answer.status), String(answer.status));
    }
    assert.ok(await clientOf(synthetic.serve).getFirst(), "and the next request is answered");
});
