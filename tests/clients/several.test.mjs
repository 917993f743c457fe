// Several repositories and several snapshots behind one address, with TLS and the site's own token.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clientOf, ids, isA, refsOf, variable } from "./support.mjs";

const base = variable("SEVERAL_URL");
const accessToken = variable("SERVE_ACCESS_TOKEN");
const older = variable("OLDER_SNAPSHOT");
const at = (name) => `${base}/${name}/api/v2`;

test("each repository is below its name", async () => {
    const blog = await clientOf(at("blog"), { accessToken }).dangerouslyGetAll({ lang: "*" });
    assert.equal(blog.length, Number(variable("SANDBOX_DOCUMENTS")));
    const studio = clientOf(at("studio"), { accessToken });
    assert.equal((await studio.getByUID("author", "ada")).data.name, "Ada Brandt");
    assert.deepEqual(await studio.getTags(), ["design", "menu", "news", "studio"]);
    const page = await studio.get({ pageSize: 2 });
    assert.ok(page.next_page.startsWith(`${at("studio")}/documents/search?`));
    assert.ok(!page.next_page.includes(accessToken));
    for (const name of ["blog", "studio"]) {
        await assert.rejects(clientOf(at(name)).getFirst(), isA("ForbiddenError"));
    }
    assert.equal((await fetch(`${base}/api/v2?access_token=${accessToken}`)).status, 404);
});

test("an older snapshot is a ref of its own", async () => {
    const refs = await refsOf(at("blog"), accessToken);
    assert.ok(refs.some(({ ref, isMasterRef }) => ref === older && !isMasterRef));
    const now = await clientOf(at("blog"), { accessToken }).dangerouslyGetAll({ lang: "*" });
    const then = await clientOf(at("blog"), { accessToken, ref: older }).dangerouslyGetAll({ lang: "*" });
    assert.deepEqual(ids(then).sort(), ids(now).sort());
    const changed = now.filter(({ id, data }) => {
        const before = then.find((document) => document.id === id);
        return JSON.stringify(before.data) !== JSON.stringify(data);
    });
    assert.ok(changed.length > 0, "something was edited between the two");
    assert.ok(then.every(({ href }) => href.includes(older)));
    const client = clientOf(at("blog"), { accessToken });
    client.queryContentFromReleaseByID(refs.find(({ ref }) => ref === older).id);
    assert.equal((await client.getByID(changed[0].id, { lang: "*" })).last_publication_date, then.find(({ id }) => id === changed[0].id).last_publication_date);
});

test("its health says what is served, and nothing private", async () => {
    const answer = await fetch(`${base}/healthz`);
    assert.equal(answer.status, 200);
    const text = await answer.text();
    assert.ok(!text.includes(accessToken));
    const { repositories } = JSON.parse(text);
    assert.deepEqual(repositories.map(({ repository }) => repository).sort(), ["blog", "studio"]);
    const blog = repositories.find(({ repository }) => repository === "blog");
    assert.deepEqual(blog.snapshots.map(({ status }) => status), ["complete", "complete"]);
    assert.equal(blog.snapshots[1].snapshot, older);
});
