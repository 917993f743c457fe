// PNG, as much of it as the tests need: writes plain pictures, reads screenshots.

import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
    return byte >>> 0;
});

function crc(bytes) {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = (crc >>> 8) ^ CRC[(crc ^ byte) & 0xff];
    return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type, data) {
    const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    const tail = Buffer.alloc(4);
    tail.writeUInt32BE(crc(named));
    return Buffer.concat([head, named, tail]);
}

/** Makes a picture; `at(x, y)` gives the red, green and blue of a pixel. */
export function encode(width, height, at) {
    const lines = Buffer.alloc(height * (1 + 3 * width));
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) lines.set(at(x, y), y * (1 + 3 * width) + 1 + 3 * x);
    }
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 2, 0, 0, 0], 8);
    return Buffer.concat([
        SIGNATURE,
        chunk("IHDR", header),
        chunk("IDAT", deflateSync(lines)),
        chunk("IEND", Buffer.alloc(0)),
    ]);
}

function paeth(a, b, c) {
    const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
    if (toA <= toB && toA <= toC) return a;
    return toB <= toC ? b : c;
}

/** Reads a picture of 8 bits a channel without palette: size, and `at(x, y)`. */
export function decode(bytes) {
    if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error("no PNG");
    let header;
    const data = [];
    for (let at = 8; at < bytes.length; ) {
        const length = bytes.readUInt32BE(at);
        const type = bytes.toString("latin1", at + 4, at + 8);
        const body = bytes.subarray(at + 8, at + 8 + length);
        if (type === "IHDR") header = body;
        if (type === "IDAT") data.push(body);
        at += 12 + length;
    }
    const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
    const channels = { 2: 3, 6: 4 }[header[9]];
    if (header[8] !== 8 || !channels || header[12] !== 0) throw new Error("a PNG of another kind");
    const stride = width * channels;
    const lines = inflateSync(Buffer.concat(data));
    const pixels = Buffer.alloc(height * stride);
    for (let y = 0; y < height; y++) {
        const filter = lines[y * (stride + 1)];
        for (let x = 0; x < stride; x++) {
            const a = x >= channels ? pixels[y * stride + x - channels] : 0;
            const b = y > 0 ? pixels[(y - 1) * stride + x] : 0;
            const c = x >= channels && y > 0 ? pixels[(y - 1) * stride + x - channels] : 0;
            const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter];
            pixels[y * stride + x] = (lines[y * (stride + 1) + 1 + x] + guess) & 0xff;
        }
    }
    return { width, height, at: (x, y) => [...pixels.subarray(y * stride + x * channels).subarray(0, 3)] };
}
