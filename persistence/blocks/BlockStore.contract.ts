/**
 * What every block store promises, as tests: each store runs this suite in its own test file.
 * It knows nothing of how a store keeps objects; damage to them comes through `Damage`, which each store's test gives.
 */
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import { keyBytesMax } from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import { layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { expect } from "vitest"

const KIB = 1024
const MIB = 1024 * KIB
/** Keys in a listing of several pages; S3 gives 1,000 a page. */
const manyKeys = 1_050

/** Hands on the stored form of an object, behind the store's back. */
export class Damage extends Context.Tag("cadastre/test/Damage")<Damage, {
  /** Flips one bit of the byte at this offset of the stored form. */
  readonly corrupt: (key: string, offset: number) => Effect.Effect<void>
  /** Keeps only the first bytes of the stored form. */
  readonly truncate: (key: string, bytes: number) => Effect.Effect<void>
}>() {}

/** Runs a body where the store is: a simulated one has a time of its own. */
export type Within = <A, E>(body: Effect.Effect<A, E>) => Effect.Effect<A, E>

export const contract = <E>(
  name: string,
  stores: Layer.Layer<BlockStore.BlockStore | Damage, E>,
  within: Within = (body) => body
): void =>
  layer(stores, { excludeTestServices: true, timeout: "30 seconds" })(name, (it) => {
    const test = <F>(
      title: string,
      body: () => Effect.Effect<void, F, BlockStore.BlockStore | Damage>,
      millis?: number
    ): void =>
      it.effect(
        title,
        () =>
          Effect.contextWithEffect((context: Context.Context<BlockStore.BlockStore | Damage>) =>
            within(Effect.provide(body(), context))
          ),
        millis
      )

    for (const bytes of [0, 1, 32_767, 32_768, 32_769, 4 * MIB]) {
      test(`gives back an object of ${bytes} bytes as it was put`, () =>
        Effect.gen(function*() {
          const store = yield* BlockStore.BlockStore
          const key = `whole/${bytes}`
          const object = bytesOf(bytes)
          yield* store.put(key, object)
          const got = yield* store.get(key)
          expect(got.length).toBe(bytes)
          expectSame(got, object)
          expect(got.constructor).toBe(Uint8Array)
          expect(yield* store.head(key)).toEqual({ key, bytes })
        }))
    }

    test("gives back every kind of range, across pieces and at both ends", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const bytes = 300_000
        const object = bytesOf(bytes)
        yield* store.put("range/a", object)
        const ranges = [
          [0, 0],
          [0, 1],
          [0, bytes],
          [1, 10_000],
          [32_767, 2],
          [32_768, 32_768],
          [32_768, 1],
          [100_000, 10_000],
          [65_535, 65_538],
          [bytes - 1, 1],
          [bytes - 40_000, 40_000],
          [bytes, 0],
          [150_000, 0]
        ] as const
        for (const [offset, length] of ranges) {
          const got = yield* store.getRange("range/a", bytes, offset, length)
          expect(got.length, `${length} bytes from ${offset}`).toBe(length)
          expect(Buffer.compare(got, object.subarray(offset, offset + length)), `from ${offset}`).toBe(0)
        }
      }))

    test("gives back the empty range of an empty object, and no other", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        yield* store.put("range/empty", bytesOf(0))
        expect(yield* store.getRange("range/empty", 0, 0, 0)).toHaveLength(0)
        yield* expectDefect(store.getRange("range/empty", 0, 0, 1), "are not within an object of 0 bytes")
      }))

    test("dies of a range that is not within the object", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        yield* store.put("range/b", bytesOf(100))
        for (const [offset, length] of [[0, 101], [100, 1], [101, 0], [-1, 1], [1, -1], [0.5, 1]] as const) {
          yield* expectDefect(store.getRange("range/b", 100, offset, length), "are not within an object of 100 bytes")
        }
      }))

    test("calls an object of another size than its caller knows corrupt", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        yield* store.put("size/a", bytesOf(40_000))
        for (const bytes of [39_999, 40_001, 0, 32_768, 4 * MIB]) {
          const error = yield* Effect.flip(store.getRange("size/a", bytes, 0, Math.min(bytes, 10)))
          expect(error).toMatchObject({ _tag: "ObjectCorrupt", key: "size/a" })
        }
        const error = yield* Effect.flip(store.getRange("size/a", 4 * MIB, 4 * MIB - 10, 10))
        expect(error._tag).toBe("ObjectCorrupt")
      }))

    test("keeps what was put, whatever its owner does with the bytes afterwards", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const object = bytesOf(1000)
        yield* store.put("own/a", object)
        object.fill(0)
        const got = yield* store.get("own/a")
        expectSame(got, bytesOf(1000))
        got.fill(0)
        expectSame(yield* store.get("own/a"), bytesOf(1000))
      }))

    test("puts a part of a larger buffer", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const part = bytesOf(100_000).subarray(777, 70_777)
        yield* store.put("part/a", part)
        expectSame(yield* store.get("part/a"), part)
      }))

    test("replaces an object atomically: readers see one version or the other, whole", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const bytes = 300_000
        const versions = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)]
        yield* store.put("replace/a", versions[0]!)
        const seen = new Set<number>()
        const look = (got: Uint8Array, length: number) => {
          seen.add(got[0]!)
          expect(got).toHaveLength(length)
          expect(got.every((byte) => byte === got[0])).toBe(true)
        }
        const read = Effect.gen(function*() {
          for (let round = 0; round < 40 || seen.size < 2; round++) {
            look(yield* store.get("replace/a"), bytes)
            look(yield* store.getRange("replace/a", bytes, 40_000, 1000), 1000)
            yield* Effect.yieldNow()
          }
        })
        const replace = Effect.gen(function*() {
          for (let round = 1;; round++) {
            yield* store.put("replace/a", versions[round % 2]!)
            yield* Effect.yieldNow()
          }
        })
        yield* Effect.raceFirst(read, replace)
        expect([...seen].sort()).toEqual([1, 2])
      }))

    test("replaces an object by one of another size", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        yield* store.put("replace/b", bytesOf(100_000))
        yield* store.put("replace/b", bytesOf(10))
        expect(yield* store.get("replace/b")).toEqual(bytesOf(10))
        expect(yield* store.head("replace/b")).toEqual({ key: "replace/b", bytes: 10 })
      }))

    test("says that an object is missing", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const missing = { _tag: "ObjectMissing", key: "missing/a", store: store.description }
        expect(yield* Effect.flip(store.get("missing/a"))).toMatchObject(missing)
        expect(yield* Effect.flip(store.getRange("missing/a", 10, 0, 10))).toMatchObject(missing)
        expect(yield* Effect.flip(store.getRange("missing/a", 4 * MIB, 0, 10))).toMatchObject(missing)
        expect(yield* store.head("missing/a")).toBeUndefined()
      }))

    test("removes an object once and then has nothing to remove", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        yield* store.put("remove/a", bytesOf(10))
        yield* store.put("remove/b", bytesOf(10))
        yield* store.remove("remove/a")
        yield* store.remove("remove/a")
        yield* store.remove("never/was")
        expect((yield* Effect.flip(store.get("remove/a")))._tag).toBe("ObjectMissing")
        expect(yield* keysOf(store, "remove/")).toEqual(["remove/b"])
        yield* store.put("remove/a", bytesOf(10))
        expect(yield* store.get("remove/a")).toEqual(bytesOf(10))
      }))

    test("lists in byte order of keys, an object beside a folder of its name included", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const names = ["A", "Z/1", "_", "a", "a-b", "a.b", "a/b", "a/b/c", "a/b0", "a0", "a_b", "aa/x", "z.d/1", "z/1"]
        const keys = names.map((name) => `list/${name}`).sort()
        yield* Effect.forEach(keys.toReversed(), (key) => store.put(key, bytesOf(key.length)), { discard: true })
        expect(yield* keysOf(store, "list/")).toEqual(keys)
        const infos = yield* Stream.runCollect(store.list("list/"))
        expect(Chunk.toReadonlyArray(infos)).toEqual(keys.map((key) => ({ key, bytes: key.length })))
      }))

    test("lists by a prefix that ends anywhere", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const keys = ["prefix/ab", "prefix/ab/c", "prefix/ab/d/e", "prefix/abc", "prefix/b", "prefixes"]
        yield* Effect.forEach(keys, (key) => store.put(key, bytesOf(1)), { discard: true })
        expect(yield* keysOf(store, "prefix")).toEqual(keys)
        expect(yield* keysOf(store, "prefix/")).toEqual(keys.slice(0, 5))
        expect(yield* keysOf(store, "prefix/a")).toEqual(keys.slice(0, 4))
        expect(yield* keysOf(store, "prefix/ab")).toEqual(keys.slice(0, 4))
        expect(yield* keysOf(store, "prefix/ab/")).toEqual(["prefix/ab/c", "prefix/ab/d/e"])
        expect(yield* keysOf(store, "prefix/ab/d/e")).toEqual(["prefix/ab/d/e"])
        expect(yield* keysOf(store, "prefix/ab/d/ef")).toEqual([])
        expect(yield* keysOf(store, "nothing/here/")).toEqual([])
        expect(yield* keysOf(store, "")).toEqual(expect.arrayContaining(keys))
      }))

    test(`lists ${manyKeys} keys, each once, and stops where its reader stops`, () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const keys = Array.from({ length: manyKeys }, (_, n) => `many/${n % 7}/${String(n).padStart(5, "0")}`).sort()
        yield* Effect.forEach(keys, (key) => store.put(key, bytesOf(3)), { discard: true, concurrency: 16 })
        expect(yield* keysOf(store, "many/")).toEqual(keys)
        const first = yield* Stream.runCollect(Stream.take(store.list("many/"), 3))
        expect(Chunk.toReadonlyArray(first).map(({ key }) => key)).toEqual(keys.slice(0, 3))
      }), 120_000)

    test("finds a flipped bit in any part of the data and of the trailer, and names it", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const damage = yield* Damage
        const bytes = 70_000
        const sealed = SealedObject.sealedBytes(bytes)
        const places = [
          [0, /piece 0 \(bytes 0 to 32767\)/],
          [32_767, /piece 0 /],
          [32_768, /piece 1 \(bytes 32768 to 65535\)/],
          [bytes - 1, /piece 2 \(bytes 65536 to 69999\)/],
          [bytes, /trailer/],
          [sealed - 16, /trailer/],
          [sealed - 8, /trailer/],
          [sealed - 5, /trailer/],
          [sealed - 1, /trailer/]
        ] as const
        for (const [offset, reason] of places) {
          const key = `corrupt/${offset}`
          yield* store.put(key, bytesOf(bytes))
          yield* damage.corrupt(key, offset)
          for (const read of [store.get(key), store.getRange(key, bytes, 0, bytes)]) {
            const error = yield* Effect.flip(read)
            expect(error).toMatchObject({ _tag: "ObjectCorrupt", key, reason: expect.stringMatching(reason) })
          }
        }
      }))

    test("gives a range whose pieces are whole though another piece is corrupt", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const damage = yield* Damage
        const bytes = 300_000
        yield* store.put("corrupt/apart", bytesOf(bytes))
        yield* damage.corrupt("corrupt/apart", 40_000)
        const read = (offset: number, length: number) => store.getRange("corrupt/apart", bytes, offset, length)
        expect(yield* read(0, 32_768)).toHaveLength(32_768)
        expect(yield* read(65_536, 100_000)).toHaveLength(100_000)
        // The byte beside the range is in the same piece.
        expect((yield* Effect.flip(read(39_000, 1000)))._tag).toBe("ObjectCorrupt")
        expect((yield* Effect.flip(read(0, 32_769)))._tag).toBe("ObjectCorrupt")
      }))

    test("finds an object cut short, wherever the cut is", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const damage = yield* Damage
        const bytes = 300_000
        const sealed = SealedObject.sealedBytes(bytes)
        for (const rest of [sealed - 1, bytes + 4, bytes, bytes - 1, 65_536, 32_788, 32_768, 16, 15, 0]) {
          const key = `cut/${rest}`
          yield* store.put(key, bytesOf(bytes))
          yield* damage.truncate(key, rest)
          for (
            const read of [store.get(key), store.getRange(key, bytes, 0, 10), store.getRange(key, bytes, 299_990, 10)]
          ) {
            expect(yield* Effect.flip(read), `cut to ${rest}`).toMatchObject({ _tag: "ObjectCorrupt", key })
          }
        }
      }))

    test("dies of what is no key, and says what a key is", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const long = "x".repeat(keyBytesMax + 1).replace(/.{100}/g, (run) => `${run.slice(1)}/`)
        const wrong = ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a b", "ä", "a\0", "a+b", "a\\b", "a\n"]
        for (const key of [...wrong, long, "x".repeat(241)]) {
          const uses: ReadonlyArray<Effect.Effect<unknown, BlockStore.ReadError | BlockStore.WriteError>> = [
            store.put(key, bytesOf(1)),
            store.get(key),
            store.getRange(key, 1, 0, 1),
            store.head(key),
            store.remove(key)
          ]
          for (const use of uses) yield* expectDefect(use, "a key is segments of A-Z")
        }
        for (const prefix of ["/", "../", "a//", "ä", "a b", "./"]) {
          yield* expectDefect(keysOf(store, prefix), "a key is segments of A-Z")
        }
      }))

    test("takes the strangest key that is one", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const keys = ["strange/...", "strange/-", "strange/.a/..b", `strange/${"x".repeat(240)}`].sort()
        yield* Effect.forEach(keys, (key) => store.put(key, bytesOf(5)), { discard: true })
        expect(yield* keysOf(store, "strange/")).toEqual(keys)
        for (const key of keys) expect(yield* store.get(key)).toEqual(bytesOf(5))
      }))

    test("serves many at a time", () =>
      Effect.gen(function*() {
        const store = yield* BlockStore.BlockStore
        const use = (n: number) =>
          Effect.gen(function*() {
            const key = `together/${n % 10}/${n}`
            yield* store.put(key, bytesOf(n * 101))
            expectSame(yield* store.get(key), bytesOf(n * 101))
          })
        yield* Effect.forEach(Array.from({ length: 100 }, (_, n) => n), use, {
          concurrency: "unbounded",
          discard: true
        })
      }))
  })

/** Bytes that differ at every offset within reach, the same for the same length. */
export const bytesOf = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0, state = length + 1; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 16
  }
  return bytes
}

/** As `toEqual`, but fast for megabytes. */
export const expectSame = (found: Uint8Array, expected: Uint8Array): void => {
  expect(found.length).toBe(expected.length)
  expect(Buffer.compare(found, expected)).toBe(0)
}

export const keysOf = (
  store: BlockStore.BlockStoreService,
  prefix: string
): Effect.Effect<ReadonlyArray<string>, BlockStore.StoreUnavailable> =>
  Effect.map(Stream.runCollect(store.list(prefix)), (infos) => Chunk.toReadonlyArray(infos).map(({ key }) => key))

const expectDefect = <A, E>(effect: Effect.Effect<A, E>, text: string): Effect.Effect<void> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()
    expect(String(Option.getOrElse(defect, () => exit))).toContain(text)
  })
