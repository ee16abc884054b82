"""protobuf's wire format for tests: a third reader, to say what our decoder reads at all, and to break messages."""


class Broken(Exception):
    """No protobuf."""


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """A number, or bytes, or text."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    value = 0
    for i in range(10):
        if at >= len(data) or (i == 9 and data[at] > 1):
            raise Broken("varint")
        value |= (data[at] & 0x7f) << (7 * i)
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise Broken("varint")


def fields(data):
    """(number, wire type, value, whole bytes) of each field; groups are Broken."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise Broken("number")
        if wire == 0:
            value, at = read_varint(data, at)
        elif wire == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        elif wire in (1, 5):
            value, at = None, at + (8 if wire == 1 else 4)
        else:
            raise Broken("group")
        if at > len(data):
            raise Broken("cut")
        yield number, wire, value, data[begin:at]


def ascii_only(data):
    """Every byte that is none as ~ and two digits: Go refuses text that is not UTF-8."""
    return b"".join(bytes([c]) if c < 0x80 else b"~%02x" % c for c in data)


def prune(data, schema):
    """The message in ASCII with nothing in it but the fields of the schema: {number: None (plain) or the schema of an embedded message}."""
    out = b""
    for number, wire, value, whole in fields(data):
        if number not in schema:
            continue
        inner = schema[number]
        if inner is None:
            out += field(number, ascii_only(value)) if wire == 2 else whole
        elif wire == 2:
            out += field(number, prune(value, inner))
    return out


def change(data, other, random):
    """One change of bytes."""
    data, at, kind = bytearray(data), random.randrange(len(data) + 1), random.randrange(9)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << random.randrange(8)
    elif kind == 1 and data:
        data[at % len(data)] = random.choice((0, 1, 0x7f, 0x80, 0xff, data[at % len(data)] + 1 & 0xff, data[at % len(data)] - 1 & 0xff))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at:at + random.randrange(1, 9)]
    elif kind == 4:
        data[at:at] = random.randbytes(random.randrange(1, 9))
    elif kind == 5:  # a field more, whole
        data += field(random.randrange(1, 24), random.choice((random.getrandbits(random.randrange(1, 65)), random.randbytes(3), b"", b"\x08\x01")))
    elif kind == 6:  # a group: a beginning and an end
        data += varint(random.randrange(1, 24) << 3 | 3) + varint(random.randrange(1, 24) << 3 | 4)
    elif kind == 7:  # a part of another message
        start = random.randrange(len(other) + 1)
        data[at:at] = other[start:start + random.randrange(64)]
    else:  # said twice
        data += data[at:]
    return bytes(data)


def mutate(data, other, random):
    """Broken or changed as foreign bytes are: anywhere, or (mostly) within a field, with the lengths around it still right."""
    if random.random() < 0.2:
        return change(data, other, random)
    try:
        parts = list(fields(data))
    except Broken:
        return change(data, other, random)
    inner = [i for i, part in enumerate(parts) if part[1] == 2]
    if not inner or random.random() < 0.3:
        if random.random() < 0.5:
            return change(data, other, random)
        random.shuffle(parts)  # the order of fields means nothing, but for those said twice
        return b"".join(part[3] for part in parts + random.sample(parts, min(len(parts), 2)))
    chosen = random.choice(inner)
    return b"".join(field(number, mutate(value, other, random)) if i == chosen else whole for i, (number, _, value, whole) in enumerate(parts))
