// A small site, as its makers would write it: reads with the official client, shows text and pictures.
// What it came to is written into the page at the end, for the test to read.

import { asHTML, asImageSrc, asImageWidthSrcSet, asText, createClient } from "@prismicio/client";

const client = createClient("studio-site", {
    documentAPIEndpoint: new URLSearchParams(location.search).get("api"),
    routes: [
        { type: "homepage", path: "/:lang?" },
        { type: "page", path: "/:lang?/:uid" },
        { type: "post", path: "/blog/:uid" },
    ],
    brokenRoute: "/not-found",
});

const main = document.querySelector("main");

function picture(id, field, parameters, more = {}) {
    const image = document.createElement("img");
    Object.assign(image, { id, ...more });
    image.alt = field.alt ?? "";
    image.crossOrigin = "anonymous";
    image.src = asImageSrc(field, parameters);
    main.append(image);
    return image;
}

/** Colour in the middle of a picture; fails where the server does not let pages read it. */
function colourOf(image) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return [...context.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data].slice(0, 3);
}

async function show() {
    const home = await client.getSingle("homepage");
    document.title = asText(home.data.title);
    const hero = picture("hero", home.data.hero);
    main.insertAdjacentHTML("beforeend", `<section id="intro">${asHTML(home.data.intro)}</section>`);

    const posts = await client.getAllByType("post", {
        orderings: { field: "my.post.on" },
        fetchLinks: "author.name",
    });
    for (const post of posts) {
        const entry = document.createElement("article");
        entry.innerHTML = `${asHTML(post.data.title)}<p class="author"></p>${asHTML(post.data.body[0].primary.text)}`;
        entry.querySelector(".author").textContent = post.data.author.data.name;
        main.append(entry);
    }

    const ada = await client.getByUID("author", "ada");
    const images = {
        hero,
        square: picture("square", home.data.hero.square),
        smaller: picture("smaller", home.data.hero, { w: 160, fit: "max" }),
        dense: picture("dense", ada.data.portrait, { w: 30, dpr: 2 }),
        original: picture("original", ada.data.portrait, { auto: undefined }),
        intro: document.querySelector("#intro img"),
    };
    images.intro.crossOrigin = "anonymous";
    const { srcset } = asImageWidthSrcSet(home.data.hero, { widths: [100, 200, 400] });
    images.responsive = picture("responsive", home.data.hero, {}, { sizes: "200px", srcset });

    const shown = {};
    for (const [name, image] of Object.entries(images)) {
        await image.decode();
        const { origin, pathname } = new URL(image.currentSrc);
        shown[name] = { width: image.naturalWidth, height: image.naturalHeight, origin, pathname, colour: colourOf(image) };
    }
    return {
        title: document.title,
        headings: [...main.querySelectorAll("article h1")].map((heading) => heading.textContent),
        authors: [...main.querySelectorAll("article .author")].map((author) => author.textContent),
        text: main.textContent,
        links: [...main.querySelectorAll("#intro a")].map((link) => link.getAttribute("href")),
        images: shown,
    };
}

let report;
try {
    report = await show();
} catch (error) {
    report = { error: `${error.name}: ${error.message}`, url: error.url };
}
document.querySelector("#report").textContent = JSON.stringify(report);
