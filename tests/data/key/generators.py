"""Generators of the commitment key by the description in src/fold/key.rs, in plain Python."""

IV = [
    *[0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A],
    *[0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19],
]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
CHUNK_START, CHUNK_END, ROOT, CONTEXT, MATERIAL = 1, 2, 8, 32, 64
P = 21888242871839275222246405745257275088696311157297823662689037894645226208583


def compress(chain, block, counter, length, flags):
    """BLAKE3's compression function: 16 words."""
    v = chain + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, length, flags]
    m = block

    def rotate(x, by):
        return (x >> by | x << 32 - by) & 0xFFFFFFFF

    def mix(a, b, c, d, x, y):
        for add, first, second in ((x, 16, 12), (y, 8, 7)):
            v[a] = (v[a] + v[b] + add) & 0xFFFFFFFF
            v[d] = rotate(v[d] ^ v[a], first)
            v[c] = (v[c] + v[d]) & 0xFFFFFFFF
            v[b] = rotate(v[b] ^ v[c], second)

    for _ in range(7):
        for i in range(4):
            mix(i, i + 4, i + 8, i + 12, m[2 * i], m[2 * i + 1])
        for i in range(4):
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[8 + 2 * i], m[9 + 2 * i])
        m = [m[i] for i in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)] + [v[i + 8] ^ chain[i] for i in range(8)]


def output(chain, message, flags, counter):
    """64 bytes of the hash of a message of at most one block."""
    block = message.ljust(64, b"\0")
    words = [int.from_bytes(block[i : i + 4], "little") for i in range(0, 64, 4)]
    flags |= CHUNK_START | CHUNK_END | ROOT
    words = compress(chain, words, counter, len(message), flags)
    return b"".join(word.to_bytes(4, "little") for word in words)


def generator(index):
    key = output(IV, b"rewit 2026-11 commitment key BN254 G1", CONTEXT, 0)[:32]
    key = [int.from_bytes(key[i : i + 4], "little") for i in range(0, 32, 4)]
    counter = 0
    while True:
        both = output(key, index.to_bytes(8, "little"), MATERIAL, counter)
        counter += 1
        for half in (both[:32], both[32:]):
            candidate = int.from_bytes(half, "little")
            x, greater = candidate & (1 << 254) - 1, candidate >> 255
            square = (x**3 + 3) % P
            if x < P and pow(square, (P - 1) // 2, P) == 1:
                y = pow(square, (P + 1) // 4, P)
                return x, max(y, P - y) if greater else min(y, P - y)


if __name__ == "__main__":
    for index in (0, 1, 2, 3, 255, 1000):
        x, y = generator(index)
        print(f"{index} {x:064x} {y:064x}")
