// What filters and orderings mean, said again in the plainest way: over all documents, in memory.
// Where Prismic documents nothing, as docs/compatibility.md has it.

const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
];

const millis = (value) => {
    if (typeof value === "number") return value;
    if (value instanceof Date) return value.getTime();
    return typeof value === "string" && /^\d{4}-\d{2}-\d{2}/.test(value) ? Date.parse(value) : NaN;
};

const isTimestamp = (text) => /^\d{4}-\d{2}-\d{2}T/.test(text);

/** Every value of a document under a path: of each item of groups and lists. */
export function valuesAt(document, path) {
    if (path.startsWith("document.")) return [document[path.slice("document.".length)]];
    const [, type, ...names] = path.split(".");
    if (document.type !== type) return [];
    if (names.length === 1 && names[0] === "uid") return [document.uid];
    const descend = (value, names) => {
        if (Array.isArray(value)) return value.flatMap((item) => descend(item, names));
        if (names.length === 0) return [value];
        if (value === null || typeof value !== "object" || !(names[0] in value)) return [];
        return descend(value[names[0]], names.slice(1));
    };
    return descend(document.data, names);
}

const isOfType = (document, path) => !path.startsWith("my.") || document.type === path.split(".")[1];

function equals(found, wanted) {
    if (typeof found === "string") return found === wanted && !isTimestamp(found);
    if (found !== null && typeof found === "object") return "link_type" in found && found.id === wanted;
    return found !== null && found !== undefined && found === wanted;
}

function isAt(document, path, wanted) {
    if (path === "document.tags") return [wanted].flat().every((tag) => document.tags.includes(tag));
    return valuesAt(document, path).some((found) => equals(found, wanted));
}

function isFilled(value) {
    if (value === null || value === undefined || value === "") return false;
    if (Array.isArray(value)) return value.some(isFilled);
    if (typeof value !== "object") return true;
    if ("link_type" in value) return Boolean(value.id || value.url);
    if ("dimensions" in value) return Boolean(value.url);
    if ("spans" in value) return value.text !== "";
    return Object.values(value).some(isFilled);
}

/** Whether a field, which has no group in its path, has a value. */
function hasValue(document, path) {
    const [, , name] = path.split(".");
    return name === "uid" ? isFilled(document.uid) : isFilled(document.data[name]);
}

/** Kilometres between a geopoint and a place. */
export function distance(point, latitude, longitude) {
    if (typeof point?.latitude !== "number") return Infinity;
    const radians = (degrees) => (degrees * Math.PI) / 180;
    const [from, to] = [radians(point.latitude), radians(latitude)];
    const east = radians(point.longitude - longitude);
    const half = Math.sin((from - to) / 2) ** 2 + Math.cos(from) * Math.cos(to) * Math.sin(east / 2) ** 2;
    return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(half)));
}

const nearest = (document, [path, latitude, longitude]) =>
    Math.min(Infinity, ...valuesAt(document, path).map((point) => distance(point, latitude, longitude)));

/** A part of a time, in UTC. */
function partOf(part, at) {
    const date = new Date(at);
    switch (part) {
        case "DayOfMonth":
            return date.getUTCDate();
        case "DayOfWeek":
            return date.getUTCDay() === 0 ? 7 : date.getUTCDay();
        case "Month":
            return date.getUTCMonth() + 1;
        case "Year":
            return date.getUTCFullYear();
        case "Hour":
            return date.getUTCHours();
        default:
            throw new Error(`no part of a date: ${part}`);
    }
}

function partWanted(part, wanted) {
    if (typeof wanted === "number") return wanted;
    const name = wanted.toLowerCase();
    const among = (names) => names.findIndex((full) => full === name || full.slice(0, 3) === name);
    if (part === "Month") return among(MONTHS) + 1;
    return among(DAYS) === 0 ? 7 : among(DAYS);
}

const numbers = (test) => (document, [path, ...limits]) =>
    valuesAt(document, path).some((found) => typeof found === "number" && test(found, ...limits));

const dates = (test) => (document, [path, ...limits]) =>
    valuesAt(document, path).some((found) => test(millis(found), ...limits.map(millis)));

const HOLDS = {
    at: (document, [path, wanted]) => isOfType(document, path) && isAt(document, path, wanted),
    not: (document, [path, wanted]) => isOfType(document, path) && !isAt(document, path, wanted),
    any: (document, [path, wanted]) => wanted.some((one) => isAt(document, path, one)),
    in: (document, [path, wanted]) => valuesAt(document, path).some((found) => wanted.includes(found)),
    has: (document, [path]) => isOfType(document, path) && hasValue(document, path),
    missing: (document, [path]) => isOfType(document, path) && !hasValue(document, path),
    numberLessThan: numbers((found, limit) => found < limit),
    numberGreaterThan: numbers((found, limit) => found > limit),
    numberInRange: numbers((found, low, high) => low <= found && found <= high),
    geopointNear: (document, given) => nearest(document, given) <= given[3],
    dateAfter: dates((found, limit) => found > limit),
    dateBefore: dates((found, limit) => found < limit),
    dateBetween: dates((found, low, high) => low <= found && found <= high),
};

/** Whether a filter, as its name and arguments, holds for a document. */
export function holds(document, [name, ...given]) {
    if (HOLDS[name]) return HOLDS[name](document, given);
    const [, part, side] = /^date(DayOfMonth|DayOfWeek|Month|Year|Hour)(After|Before)?$/.exec(name);
    const [path, wanted] = given;
    const limit = partWanted(part, wanted);
    return valuesAt(document, path).some((found) => {
        const at = millis(found);
        if (Number.isNaN(at)) return false;
        const own = partOf(part, at);
        if (side === "After") return own > limit;
        return side === "Before" ? own < limit : own === limit;
    });
}

const byText = (a, b) => (a < b ? -1 : Number(a > b));

/** The value that an ordering compares: of groups that of the first item. */
function sortValue(document, path) {
    const [, , ...names] = path.split(".");
    let value;
    if (path.startsWith("document.") || path.endsWith(".uid")) [value] = valuesAt(document, path);
    else if (isOfType(document, path)) {
        value = document.data[names[0]];
        for (const name of names.slice(1)) value = (Array.isArray(value) ? value[0] : value)?.[name];
    }
    if (typeof value === "boolean") return Number(value);
    if (Array.isArray(value)) return value[0]?.text;
    if (typeof value === "string") return Number.isNaN(millis(value)) ? value : millis(value);
    return typeof value === "number" ? value : undefined;
}

/** Selects from all documents and orders, as the parameters of a query say. */
export function select(documents, filters, { orderings = [], lang = "en-us" } = {}) {
    const found = documents
        .filter((document) => lang === "*" || document.lang === lang)
        .filter((document) => filters.every((filter) => holds(document, filter)))
        .sort(
            (a, b) =>
                Date.parse(b.last_publication_date) - Date.parse(a.last_publication_date) || byText(a.id, b.id),
        );
    if (orderings.length === 0) {
        const ordering = filters.find(([name]) => name === "in" || name === "geopointNear");
        if (ordering === undefined) return found;
        const [name, ...given] = ordering;
        const rank = (document) =>
            name === "in" ? given[1].indexOf(valuesAt(document, given[0])[0]) : nearest(document, given);
        return found.sort((a, b) => rank(a) - rank(b));
    }
    return found.sort((a, b) => {
        for (const { field, direction } of orderings) {
            const [one, other] = [sortValue(a, field), sortValue(b, field)];
            if (one === undefined || other === undefined) {
                if (one === other) continue;
                return one === undefined ? 1 : -1;
            }
            const order = typeof one === "number" ? one - other : byText(one, other);
            if (order !== 0) return direction === "desc" ? -order : order;
        }
        return byText(a.id, b.id);
    });
}
