#!/usr/bin/env python3
"""Writes a folder of small pictures, sound and damaged, and what Pillow reads in them.

    python3 make_pictures.py FOLDER [COUNT] [SEED]    needs the package Pillow (Debian: python3-pil)

FOLDER/expected.bin holds a record for each file, little-endian:

    name             32-bit length, bytes
    verdict          '=' must be read so; '?' must be refused or read so (any pixels, when there are none here);
                     '!' must be refused
    height, width    32 bits each
    pixels           (height, width, 3): exif_transpose, then convert("RGB"), of the first frame
    luma             8 bits: is there one?  (height, width): the plane that Pillow's draft("L") decodes of a JPEG

The same COUNT and SEED give the same files, whatever the machine, as far as the encoders do.
"""
import io
import os
import random
import struct
import sys
import zlib

from PIL import Image, ImageCms, ImageFile, ImageOps

SIZES = [(1, 1), (1, 9), (9, 1), (17, 3), (3, 17), (8, 8), (16, 16), (15, 31), (33, 20), (64, 48), (97, 61)]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NAMES = ["jpg", "JPEG", "png", "gif", "webp", "bmp", "dat"]


# ---- pictures ----


def channel(rng, size):
    """Smooth shapes under noise, so that every code path of an encoder has something to do."""
    coarse = Image.frombytes("L", (4, 4), rng.randbytes(16)).resize(size, Image.BICUBIC)
    noise = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
    return Image.blend(coarse, noise, rng.choice([0, 0.1, 0.5]))


def picture(rng, mode="RGB", size=None):
    size = size or rng.choice(SIZES)
    bands = {"L": 1, "LA": 2, "RGB": 3, "YCbCr": 3, "RGBA": 4, "CMYK": 4}
    if mode in bands:
        channels = [channel(rng, size) for _ in range(bands[mode])]
        return channels[0] if mode == "L" else Image.merge(mode, channels)
    if mode == "P":
        return picture(rng, "RGB", size).quantize(rng.choice([2, 3, 4, 13, 16, 100, 256]))
    return picture(rng, "L", size).convert(mode)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(rng, orientation, prefix=True):
    """A TIFF block of either byte order: a maker, the orientation, a thumbnail's directory with another one."""
    order, mark = rng.choice([("<", b"II*\0"), (">", b"MM\0*")])
    kind = rng.choice([3, 3, 3, 4])  # a LONG is against the rules, and read all the same
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *([orientation, 0] if kind == 3 else [orientation]))
    maker = b"Maker\0"
    first = struct.pack(order + "HHHII", 2, 0x010F, 2, len(maker), 8 + 2 + 24 + 4)
    first += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    second_at = 8 + 2 + 24 + 4 + len(maker)
    second = struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, 1 + orientation % 8, 0, 0)
    block = mark + struct.pack(order + "I", 8) + first + struct.pack(order + "I", second_at) + maker + second
    return (b"Exif\0\0" if prefix else b"") + block


# ---- JPEG ----


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def after_start(jpeg, extra):
    return jpeg[:2] + extra + jpeg[2:]


def without_segment(jpeg, marker):
    at = jpeg.index(bytes([0xFF, marker]))
    return jpeg[:at] + jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] :]


def jpeg(rng, mode="RGB", size=None, **more):
    options = {"quality": rng.choice([1, 20, 50, 75, 90, 100]), "progressive": rng.random() < 0.4}
    options["optimize"] = rng.random() < 0.5
    if mode in ("RGB", "YCbCr"):
        options["subsampling"] = rng.choice([0, 1, 2])
    return saved(picture(rng, mode, size), "JPEG", **options, **more)


def jpeg_trailing(rng):
    trailer = rng.choice([b"\0\0\0\x18ftypmp42", b"\xff\xda\0\x08", b"\xff\xd8\xff\xe0", b"\0"])
    return jpeg(rng) + trailer + rng.randbytes(rng.randrange(5000))


def jpeg_cmyk_plain(rng):
    return without_segment(jpeg(rng, "CMYK"), 0xEE)


def jpeg_ycck(rng):
    data = bytearray(jpeg(rng, "CMYK"))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def jpeg_rgb_stored(rng):
    return after_start(without_segment(jpeg(rng), 0xE0), segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"))


def jpeg_stray(rng):
    """Comments, an XMP segment before EXIF, stray bytes between two segments."""
    extra = segment(0xFE, b"a comment") + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    return after_start(jpeg(rng), extra + segment(0xFE, b"") + b"\0\0\0")


# ---- PNG, by hand: what Pillow does not write ----


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(rng, depth, colour, interlaced=False):
    """Random samples, random filters. colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha."""
    width, height = rng.choice(SIZES)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x, y, dx, dy in passes if interlaced else [(0, 0, 1, 1)]:
        across, down = -(-(width - x) // dx), -(-(height - y) // dy)
        if across > 0:
            rows += b"".join(bytes([rng.randrange(5)]) + rng.randbytes(-(-across * bits // 8)) for _ in range(down))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    if colour == 3:
        out += chunk(b"PLTE", rng.randbytes(3 << depth)) + chunk(b"tRNS", rng.randbytes(rng.randrange(1, 1 << depth)))
    if colour in (0, 2) and rng.random() < 0.3:
        out += chunk(b"tRNS", b"\0\1" * (1 if colour == 0 else 3))
    body = zlib.compress(rows)
    cut = rng.randrange(len(body))
    return out + chunk(b"IDAT", body[:cut]) + chunk(b"IDAT", body[cut:]) + chunk(b"IEND", b"")


def png_any(rng):
    depth, colour = rng.choice([(d, 0) for d in (1, 2, 4, 8, 16)] + [(d, 3) for d in (1, 2, 4, 8)] + DEEP)
    return raw_png(rng, depth, colour, rng.random() < 0.5)


DEEP = [(d, c) for c in (2, 4, 6) for d in (8, 16)]


def png_exif_behind(rng):
    png = saved(picture(rng), "PNG")
    return png[:-12] + chunk(b"eXIf", exif(rng, rng.randrange(1, 9), prefix=False)) + png[-12:]


# ---- GIF ----


def gif_frame_at(gif):
    """Where the first image descriptor is."""
    at = 13 + (3 << (gif[10] & 7) + 1 if gif[10] & 128 else 0)
    while gif[at] == 0x21:
        at += 2
        while gif[at]:
            at += gif[at] + 1
        at += 1
    return at


def gif_offset(rng, **options):
    """A frame that is smaller than its screen, or reaches over its edge."""
    gif = bytearray(saved(picture(rng, "P"), "GIF", **options))
    at = gif_frame_at(gif)
    width, height = struct.unpack("<HH", gif[6:10])
    gif[6:10] = struct.pack("<HH", max(1, width + rng.randrange(-3, 9)), max(1, height + rng.randrange(-3, 9)))
    gif[at + 1 : at + 5] = struct.pack("<HH", rng.randrange(5), rng.randrange(5))
    return bytes(gif)


def gif_animated(rng):
    size = rng.choice(SIZES)
    frames = [picture(rng, "P", size) for _ in range(3)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=rng.randrange(3))


# ---- BMP, by hand ----


def raw_bmp(rng, bits, masks=None, os2=False, compression=None):
    width, height = rng.choice(SIZES)
    palette = rng.randbytes((3 if os2 else 4) << bits) if bits <= 8 else b""
    row = (width * bits + 31) // 32 * 4
    body = rng.randbytes(row * height)
    extra = struct.pack("<III", *masks) if masks else b""
    if os2:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        signed = rng.choice([height, -height])
        kind = compression if compression is not None else (3 if masks else 0)
        header = struct.pack("<IiiHHIIIIII", 40, width, signed, 1, bits, kind, len(body), 0, 0, 0, 0)
    at = 14 + len(header) + len(extra) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(body), 0, 0, at) + header + extra + palette + body


def bmp_masked(rng):
    bits, masks = rng.choice([(16, (0xF800, 0x7E0, 0x1F)), (16, (0x7C00, 0x3E0, 0x1F)), (32, (0xFF0000, 0xFF00, 0xFF))])
    return raw_bmp(rng, bits, masks)


# ---- the list ----


def webp(rng, mode="RGB", **options):
    return saved(picture(rng, mode), "WEBP", quality=rng.choice([0, 50, 100]), method=2, **options)


def webp_animated(rng):
    size = rng.choice(SIZES)
    frames = [picture(rng, rng.choice(["RGB", "RGBA"]), size) for _ in range(3)]
    return saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=2, lossless=rng.random() < 0.5)


SOUND = {
    "jpeg": jpeg,
    "jpeg-again": jpeg,
    "jpeg-grey": lambda rng: jpeg(rng, "L"),
    "jpeg-ycbcr": lambda rng: jpeg(rng, "YCbCr"),
    "jpeg-cmyk": lambda rng: jpeg(rng, "CMYK"),
    "jpeg-cmyk-plain": jpeg_cmyk_plain,
    "jpeg-ycck": jpeg_ycck,
    "jpeg-rgb-stored": jpeg_rgb_stored,
    "jpeg-exif": lambda rng: jpeg(rng, exif=exif(rng, rng.randrange(10))),
    "jpeg-exif-grey": lambda rng: jpeg(rng, "L", exif=exif(rng, rng.randrange(10))),
    "jpeg-icc": lambda rng: jpeg(rng, icc_profile=ICC),
    "jpeg-trailing": jpeg_trailing,
    "jpeg-stray": jpeg_stray,
    "png-1": lambda rng: saved(picture(rng, "1"), "PNG"),
    "png-grey": lambda rng: saved(picture(rng, "L"), "PNG"),
    "png-grey-alpha": lambda rng: saved(picture(rng, "LA"), "PNG"),
    "png-palette": lambda rng: saved(picture(rng, "P"), "PNG"),
    "png-palette-transparent": lambda rng: saved(picture(rng, "P"), "PNG", transparency=rng.randrange(2)),
    "png-rgb": lambda rng: saved(picture(rng), "PNG", icc_profile=ICC),
    "png-rgb-transparent": lambda rng: saved(picture(rng), "PNG", transparency=(1, 2, 3)),
    "png-rgba": lambda rng: saved(picture(rng, "RGBA"), "PNG"),
    "png-16": lambda rng: raw_png(rng, 16, 0, rng.random() < 0.5),
    "png-any": png_any,
    "png-any-again": png_any,
    "png-interlaced": lambda rng: raw_png(rng, 8, 2, True),
    "png-animated": lambda rng: saved(picture(rng), "PNG", save_all=True, append_images=[picture(rng, size=(1, 1))]),
    "png-exif": lambda rng: saved(picture(rng), "PNG", exif=exif(rng, rng.randrange(1, 9))),
    "png-exif-behind": png_exif_behind,
    "gif": lambda rng: saved(picture(rng, "P"), "GIF", interlace=rng.randrange(2)),
    "gif-grey": lambda rng: saved(picture(rng, "L"), "GIF", interlace=rng.randrange(2)),
    "gif-transparent": lambda rng: saved(picture(rng, "P"), "GIF", transparency=1, comment=b"x" * 600),
    "gif-offset": gif_offset,
    "gif-offset-transparent": lambda rng: gif_offset(rng, transparency=1),
    "gif-animated": gif_animated,
    "webp": webp,
    "webp-alpha": lambda rng: webp(rng, "RGBA"),
    "webp-lossless": lambda rng: webp(rng, rng.choice(["RGB", "RGBA"]), lossless=True, exact=True),
    "webp-exif": lambda rng: webp(rng, exif=exif(rng, rng.randrange(10), rng.random() < 0.5), icc_profile=ICC),
    "webp-animated": webp_animated,
    "bmp-1": lambda rng: saved(picture(rng, "1"), "BMP"),
    "bmp-grey": lambda rng: saved(picture(rng, "L"), "BMP"),
    "bmp-palette": lambda rng: saved(picture(rng, "P"), "BMP"),
    "bmp-rgb": lambda rng: saved(picture(rng), "BMP"),
    "bmp-rgba": lambda rng: saved(picture(rng, "RGBA"), "BMP"),
    "bmp-any": lambda rng: raw_bmp(rng, rng.choice([1, 4, 8, 16, 24, 32])),
    "bmp-os2": lambda rng: raw_bmp(rng, rng.choice([1, 4, 8, 24]), os2=True),
    "bmp-masks": bmp_masked,
}

FOREIGN = {
    "tiff": lambda rng: saved(picture(rng), "TIFF"),
    "ppm": lambda rng: saved(picture(rng), "PPM"),
    "ico": lambda rng: saved(picture(rng, size=(16, 16)), "ICO"),
    "jpeg-2000": lambda rng: saved(picture(rng, size=(16, 16)), "JPEG2000"),
    "bmp-run-lengths": lambda rng: raw_bmp(rng, 8, compression=1),
    "text": lambda rng: b"a picture of a house, in words\n" * rng.randrange(1, 50),
    "bm-text": lambda rng: b"BMW is a maker of cars, and this is a text",
    "empty": lambda rng: b"",
    "noise": lambda rng: b"\x07" + rng.randbytes(rng.randrange(3000)),
    "magic-only": lambda rng: rng.choice([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM"]),
    "png-checksum": lambda rng: flipped(rng, saved(picture(rng), "PNG"), 8 + 4),
}


def cut(rng, data):
    return data[: rng.randrange(1, len(data))]


def zero_tail(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes(len(data) - at)


def flipped(rng, data, first=0):
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        out[rng.randrange(first, len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


# ---- what Pillow says ----


def levels_of(image):
    if image.mode == "I":  # 16 bits of grey: convert("RGB") would clip them at 255; their high bytes are meant
        return Image.frombytes("L", image.size, bytes(v >> 8 for v in image.getdata())).convert("RGB")
    return image.convert("RGB")


def read(data):
    """(pixels, luma or None); None when Pillow refuses."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        rgb = levels_of(ImageOps.exif_transpose(image))
        luma = None
        if image.format == "JPEG" and image.mode == "RGB" and not rgb_stored(data):
            plane = Image.open(io.BytesIO(data))
            plane.draft("L", plane.size)
            luma = ImageOps.exif_transpose(plane)
            assert luma.mode == "L" and luma.size == rgb.size
        return rgb, luma
    except Exception:  # of many types; each is a refusal
        return None


def rgb_stored(data):
    at = data.find(b"Adobe\0")
    return at >= 0 and data[at + 11] == 0


def record(name, verdict, seen):
    out = struct.pack("<I", len(name)) + name.encode() + verdict.encode()
    if seen is None or verdict == "!":
        return out + struct.pack("<IIB", 0, 0, 0)
    rgb, luma = seen
    out += struct.pack("<II", rgb.height, rgb.width) + rgb.tobytes()
    return out + (b"\1" + luma.tobytes() if luma is not None else b"\0")


def entry(rng, index):
    """(kind, bytes, verdict, what Pillow reads) of the file of this number: the kinds take turns."""
    if index == 0:
        data = jpeg(rng, size=(20000, 2))
        return "jpeg-wide", data, "=", read(data)
    turn = index % 5
    if turn < 3:
        kind = list(SOUND)[(index - 2 * (index // 5)) % len(SOUND)]
        data = SOUND[kind](rng)
        seen = read(data)
        assert seen is not None, kind
        return kind, data, "=", seen
    if turn == 3 and index // 5 % 4 == 0:
        kind = list(FOREIGN)[index // 20 % len(FOREIGN)]
        return kind, FOREIGN[kind](rng), "!", None
    base = rng.choice([k for k in SOUND if "exif" not in k])
    damage = rng.choice([cut, zero_tail, flipped, flipped])
    data = damage(rng, SOUND[base](rng))
    seen = read(data)
    refused = seen is None and damage is cut
    return f"{base}-{damage.__name__}", data, "!" if refused else "?", seen


def main():
    folder = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "expected.bin"), "wb") as expected:
        for index in range(count):
            rng = random.Random(f"{seed} {index}")
            kind, data, verdict, seen = entry(rng, index)
            name = f"{index:05d}-{kind}.{rng.choice(NAMES)}"
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
            expected.write(record(name, verdict, seen))


if __name__ == "__main__":
    main()
