// A standby that follows moves to the next snapshot while a site reads from it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { clientOf, libraries, refsOf, until, variable } from "./support.mjs";

const follow = variable("FOLLOW_API");
const sandbox = variable("SANDBOX_API");
const control = sandbox.replace(/\/api\/v2$/, "/sandbox");

const masterRef = async (endpoint) => (await refsOf(endpoint)).find((entry) => entry.isMasterRef).ref;

/** Changes and publishes some documents, takes a snapshot, and waits until it is served. */
async function publish(seed) {
    const before = await masterRef(follow);
    const changed = await fetch(`${control}/edit?share=0.1&seed=${seed}`, { method: "POST" });
    assert.equal(changed.status, 200);
    const { edited } = await changed.json();
    await promisify(execFile)(variable("TAKE_SNAPSHOT"));
    const now = await until("the new snapshot is served", async () => {
        const now = await masterRef(follow);
        return now !== before && now;
    });
    return { before, now, edited };
}

test("no read fails while a standby moves on, and clients move with it", async () => {
    const clients = Object.values(libraries).map((library) => clientOf(follow, {}, library));
    const failed = [];
    let reads = 0;
    let stopped = false;
    const reader = async (client) => {
        while (!stopped) {
            try {
                await client.get({ pageSize: 3, lang: "*" });
                reads += 1;
            } catch (error) {
                failed.push(`${error.constructor.name}: ${error.message}`);
            }
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    };
    const readers = clients.map(reader);
    let last;
    for (const seed of [11, 12]) {
        last = await publish(seed);
        // A client believes what a repository said for five seconds.
        await new Promise((resolve) => setTimeout(resolve, 5_500));
    }
    stopped = true;
    await Promise.all(readers);
    assert.deepEqual([...new Set(failed)], []);
    assert.ok(reads > 100);
    for (const client of clients) {
        const { results } = await client.get({ pageSize: 1 });
        assert.ok(results[0].href.includes(last.now));
        const document = await client.getByID(last.edited[0], { lang: "*" });
        const published = await clientOf(sandbox).getByID(last.edited[0], { lang: "*" });
        assert.equal(document.last_publication_date, published.last_publication_date);
    }
});

test("the snapshot before stays for who reads it page by page; older ones say where to go on", async () => {
    const first = await publish(13);
    const kept = await clientOf(follow, { ref: first.before }).get({ pageSize: 1 });
    assert.ok(kept.results[0].href.includes(first.before));
    const second = await publish(14);
    const refused = await fetch(`${follow}/documents/search?ref=${first.before}`);
    assert.equal(refused.status, 410);
    assert.ok((await refused.json()).message.endsWith(`Master ref is: ${second.now}`));
    const page = await clientOf(follow, { ref: first.before }).get({ pageSize: 1 });
    assert.ok(page.results[0].href.includes(second.now));
});

test("the sandbox does the same when its refs expire", async () => {
    const before = await masterRef(sandbox);
    assert.equal((await fetch(`${control}/publish?expire=true`, { method: "POST" })).status, 200);
    const refused = await fetch(`${sandbox}/documents/search?ref=${before}`);
    assert.equal(refused.status, 410);
    const page = await clientOf(sandbox, { ref: before }).get({ pageSize: 1 });
    assert.ok(page.results[0].href.includes(await masterRef(sandbox)));
});
