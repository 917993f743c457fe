// What the tests share: the places to read from, clients, and the comparison of two places.
//
// The places come from environment variables, which scripts/test-clients sets:
//
//   SANDBOX_API, SERVE_API                a synthetic repository, and the snapshot of it
//   STUDIO_SANDBOX_API, STUDIO_SERVE_API  that of content.mjs, served with --rewrite-asset-urls
//   PRIVATE_SANDBOX_API, PRIVATE_SERVE_API, ACCESS_TOKEN, SERVE_ACCESS_TOKEN
//                                         a repository that nobody reads without a token
//   SEVERAL_URL, OLDER_SNAPSHOT           both repositories below their names, by TLS and with the
//                                         second token, and an older snapshot of the first
//   NEW_API, ASSET_API, TYPES_API, MIGRATION_API, WRITE_TOKEN
//                                         a repository without content, to be written
//   REBUILD, WRITTEN, RESTORED            a program that restores it into another one and prints the
//                                         report, and where it leaves snapshots of both as files
//   FOLLOW_API, TAKE_SNAPSHOT             a standby that follows, and a program that takes a snapshot
//   CHROMIUM                              a browser

import assert from "node:assert/strict";
import * as present from "@prismicio/client";
import * as older from "prismic-client-6";

/** The official client as it is now, and the major version before. */
export const libraries = { 7: present, 6: older };

/** Reads a variable that must be there. */
export function variable(name) {
    const value = process.env[name];
    assert.ok(value, `${name} is not set; scripts/test-clients sets it`);
    return value;
}

/** A repository at the sandbox and its snapshot at the standby. */
export const pair = (prefix = "") => ({
    sandbox: variable(`${prefix}SANDBOX_API`),
    serve: variable(`${prefix}SERVE_API`),
});

/** Makes a client that reads from an address. */
export function clientOf(endpoint, options = {}, library = present) {
    if (library === older) return older.createClient(endpoint, { fetch, ...options });
    return present.createClient("acme-blog", { documentAPIEndpoint: endpoint, ...options });
}

/** Parameters of a query: filters have another name in the version before. */
export const withFilters = (library, filters, parameters = {}) => ({
    ...parameters,
    [library === older ? "predicates" : "filters"]: filters,
});

/** What builds filters. */
export const filterOf = (library) => library.filter ?? library.predicate;

/** The refs of a repository, without the help of a client. */
export async function refsOf(endpoint, token) {
    const url = token ? `${endpoint}?access_token=${token}` : endpoint;
    const answer = await fetch(url);
    assert.equal(answer.status, 200, `${endpoint} answers`);
    return (await answer.json()).refs;
}

const known = new Map();

/** What says nothing of the place it comes from: refs and hosts are named alike. */
async function neutral(value, pair, endpoint, token) {
    const key = `${endpoint} ${token}`;
    if (!known.has(key)) known.set(key, refsOf(endpoint, token));
    let text = JSON.stringify(value ?? null);
    // That of a release first: it contains that of the published content.
    const refs = [...(await known.get(key))].sort((a, b) => b.ref.length - a.ref.length);
    for (const { id, ref } of refs) {
        for (const form of [ref, encodeURIComponent(ref), ref.replace("~", "%7E")]) {
            text = text.replaceAll(form, `REF-${id}`);
        }
    }
    for (const place of Object.values(pair)) text = text.replaceAll(new URL(place).origin, "HOST");
    // Values are those of the snapshot, so the standby has no such ref; and its files are below /files.
    text = text.replaceAll(/&integrationFieldsRef=[^&"]*/g, "").replaceAll("HOST/files/", "HOST/");
    return JSON.parse(text);
}

/** An answer, or what the client threw because of an answer. */
async function said(ask, client) {
    try {
        return { answer: await ask(client) };
    } catch (error) {
        if (!("url" in error)) throw error;
        return { thrown: error };
    }
}

/**
 * Asks the sandbox and the standby the same. Both must say the same, but for refs and hosts.
 * Returns what the standby said; what both refused is thrown.
 */
export async function both(pair, ask, { library = present, tokens = {}, ...options } = {}) {
    const places = ["sandbox", "serve"].map(async (place) => {
        const endpoint = pair[place];
        const token = tokens[place];
        const given = token ? { ...options, accessToken: token } : options;
        const { answer, thrown } = await said(ask, clientOf(endpoint, given, library));
        const shown = thrown ? { error: thrown.constructor.name, message: thrown.message } : answer;
        return { answer, thrown, neutral: await neutral(shown, pair, endpoint, token) };
    });
    const [there, here] = await Promise.all(places);
    assert.deepEqual(here.neutral, there.neutral);
    if (here.thrown) throw here.thrown;
    return here.answer;
}

/** Reads every page of a query, without the pauses of the client. */
export async function everyPage(client, parameters) {
    const documents = [];
    for (let page = 1; ; page++) {
        const answer = await client.get({ pageSize: 100, ...parameters, page });
        documents.push(...answer.results);
        if (answer.next_page === null) return documents;
    }
}

/** Whether an error is of a class of the client: there is one of each in each version. */
export const isA = (name) => (error) => {
    assert.equal(error.constructor.name, name, error.stack);
    return true;
};

/** Ids, in their order. */
export const ids = (documents) => documents.map((document) => document.id);

/** Waits until `reached` returns something true, for at most a minute. */
export async function until(what, reached) {
    const end = Date.now() + 60_000;
    for (;;) {
        const value = await reached();
        if (value) return value;
        assert.ok(Date.now() < end, `waited a minute in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}
