// A page that is built with the client, in a browser: it shows the content and the pictures of a
// snapshot, all of it from the standby.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { CROP, NAME, PICTURES } from "./content.mjs";
import { serve } from "./page/server.mjs";
import { decode } from "./png.mjs";
import { variable } from "./support.mjs";

const api = variable("STUDIO_SERVE_API");
const SIZE = { width: 800, height: 600 };
let profile, site, page;

/** Runs the browser on the page; what it writes and does is in a directory of its own. */
async function browse(...options) {
    const common = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        `--user-data-dir=${profile}`,
        // Waits for requests, and does not count that time.
        "--virtual-time-budget=30000",
    ];
    // Its sandbox does not work for root.
    if (process.getuid() === 0) common.push("--no-sandbox");
    const { stdout } = await promisify(execFile)(variable("CHROMIUM"), [...common, ...options, page], {
        timeout: 120_000,
        maxBuffer: 64 << 20,
        env: { ...process.env, HOME: profile },
    });
    return stdout;
}

before(async () => {
    profile = mkdtempSync(join(tmpdir(), "browser-"));
    site = await serve();
    page = `${site.address}/?api=${encodeURIComponent(api)}`;
});
after(() => {
    site?.server.close();
    if (profile) rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

test("a page shows the texts, links and pictures of a snapshot", { timeout: 180_000 }, async () => {
    let dom, found;
    // The browser's own time does not wait while pictures are decoded: on a busy machine it can be over
    // before they are.
    for (let attempt = 0; attempt < 5 && !found?.[1]; attempt++) {
        dom = await browse("--dump-dom");
        found = /<script id="report" type="application\/json">([^]*?)<\/script>/.exec(dom);
    }
    assert.ok(found?.[1], `the page did not come to its end:\n${dom.slice(0, 2000)}`);
    const report = JSON.parse(found[1]);
    assert.equal(report.error, undefined, JSON.stringify(report));

    assert.equal(report.title, "Studio Lindenau");
    assert.deepEqual(report.headings, ["Opening day", "Type and grid", "Quiet colours", "Empty shelf"]);
    assert.deepEqual(report.authors, ["Ada Brandt", "Ada Brandt", "Ben Café", "Ben Café"]);
    assert.match(report.text, /We opened the workshop on a rainy Monday\./);
    assert.deepEqual(report.links, ["/blog/opening-day", "/not-found"]);

    const { hero, portrait, cover } = PICTURES;
    const sizes = Object.entries(report.images).map(([name, { width, height }]) => [name, width, height]);
    assert.deepEqual(sizes, [
        ["hero", hero.width, hero.height],
        ["square", CROP.width, CROP.height],
        ["smaller", 160, 100],
        ["dense", 60, 90],
        ["original", portrait.width, portrait.height],
        ["intro", cover.width, cover.height],
        // Of those that were offered, what the browser took for 200 pixels.
        ["responsive", 200, 125],
    ]);
    for (const [name, { origin, pathname, colour }] of Object.entries(report.images)) {
        assert.equal(origin, new URL(api).origin, name);
        assert.ok(pathname.startsWith(`/files/${NAME}/`), pathname);
        const wanted = { dense: portrait, original: portrait, intro: cover }[name] ?? hero;
        assert.ok(isNear(colour, wanted.colour), `${name}: ${colour} is not ${wanted.colour}`);
    }
});

/** Pictures may be written in a format that changes colours a little. */
const isNear = (one, other) => one.every((value, at) => Math.abs(value - other[at]) <= 6);

test("a picture of the page shows the picture of the page", { timeout: 180_000 }, async () => {
    const file = join(profile, "page.png");
    await browse(`--screenshot=${file}`, `--window-size=${SIZE.width},${SIZE.height}`);
    const shot = decode(readFileSync(file));
    assert.equal(shot.width, SIZE.width);
    const { hero } = PICTURES;
    for (const [x, y] of [[5, 5], [hero.width - 5, 5], [hero.width >> 1, hero.height >> 1], [5, hero.height - 5]]) {
        assert.ok(isNear(shot.at(x, y), hero.colour), `${x}, ${y}: ${shot.at(x, y)}`);
    }
    assert.ok(!isNear(shot.at(hero.width + 20, 20), hero.colour), "beside it there is something else");
});
