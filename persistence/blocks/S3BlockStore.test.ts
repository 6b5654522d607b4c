import { bytesOf, contract, Damage, expectSame, keysOf } from "#persistence/blocks/BlockStore.contract.ts"
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as FakeS3 from "#persistence/blocks/FakeS3.testing.ts"
import * as S3BlockStore from "#persistence/blocks/S3BlockStore.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { expect } from "vitest"

const MIB = 1024 * 1024
const secret = "a-secret-access-key-that-nobody-may-see"
const token = "a-session-token-that-nobody-may-see"
const account = { accessKeyId: "fake-key", secretAccessKey: secret, region: "us-east-1" }
const bucket = "blocks"

const optionsFor = (endpoint: string): S3BlockStore.S3Options => ({
  bucket,
  prefix: "cadastre/test",
  endpoint,
  region: account.region,
  accessKeyId: account.accessKeyId,
  secretAccessKey: Redacted.make(secret),
  forcePathStyle: true
})

const fakeServer = FakeS3.make({ ...account, buckets: [bucket] })

const fakeAndStore = (options: Partial<S3BlockStore.S3Options> = {}) =>
  Effect.gen(function*() {
    const fake = yield* fakeServer
    const store = yield* S3BlockStore.make({ ...optionsFor(fake.endpoint), ...options })
    return { fake, store }
  })

/** How many requests of a kind the server has seen. */
const count = (fake: FakeS3.FakeS3, kind: FakeS3.RequestKind): number =>
  fake.requests.filter((request) => request.kind === kind).length

contract(
  "the block store in S3",
  Layer.scopedContext(Effect.gen(function*() {
    const { fake, store } = yield* fakeAndStore()
    return Context.make(BlockStore.BlockStore, store).pipe(Context.add(Damage, {
      corrupt: (key, offset) => Effect.sync(() => fake.corrupt(bucket, `cadastre/test/${key}`, offset)),
      truncate: (key, bytes) => Effect.sync(() => fake.truncate(bucket, `cadastre/test/${key}`, bytes))
    }))
  }))
)

describe("the block store in S3, as it keeps objects", () => {
  it.scopedLive("stores the sealed form under the prefix, its payload signed where there is no TLS", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      yield* store.put("a/b", bytesOf(40_000))
      const stored = fake.buckets.get(bucket)?.get("cadastre/test/a/b")
      expect(stored).toHaveLength(SealedObject.sealedBytes(40_000))
      expectSame(stored!.subarray(0, 40_000), bytesOf(40_000))
      expect(fake.requests.at(-1)?.payload).toMatch(/^[0-9a-f]{64}$/)
      expect(store.description).toBe(`s3://blocks/cadastre/test at ${fake.endpoint}`)
    }))

  it.scopedLive("shares a bucket with stores under other prefixes, and with what is no object", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      const other = yield* S3BlockStore.make({ ...optionsFor(fake.endpoint), prefix: "cadastre/test2" })
      const bare = yield* S3BlockStore.make({ ...optionsFor(fake.endpoint), prefix: "" })
      yield* store.put("a", bytesOf(1))
      yield* other.put("a", bytesOf(2))
      fake.buckets.get(bucket)?.set("cadastre/test/folder/", new Uint8Array(0))
      fake.buckets.get(bucket)?.set("a note.txt", new Uint8Array(0))
      expect(yield* keysOf(store, "")).toEqual(["a"])
      expect(yield* store.get("a")).toEqual(bytesOf(1))
      expect(yield* keysOf(bare, "")).toEqual(["cadastre/test/a", "cadastre/test2/a"])
      expect(bare.description).toBe(`s3://blocks at ${fake.endpoint}`)
    }))

  it.scopedLive("reads a range with two requests at most, and with one where the trailer is near", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      const ranges = () => fake.requests.filter(({ kind }) => kind === "GetObject").map(({ range }) => range).sort()
      const bytes = 4 * MIB
      const sealed = SealedObject.sealedBytes(bytes)
      yield* store.put("large", bytesOf(bytes))
      expectSame(yield* store.getRange("large", bytes, 100_000, 10_000), bytesOf(bytes).subarray(100_000, 110_000))
      expect(ranges()).toEqual([`bytes=${bytes}-${sealed - 1}`, "bytes=98304-131071"])
      yield* store.getRange("large", bytes, bytes - 10, 10)
      expect(count(fake, "GetObject")).toBe(3)
      expect(ranges()).toContain(`bytes=${bytes - 32_768}-${sealed - 1}`)
      yield* store.put("small", bytesOf(50_000))
      yield* store.getRange("small", 50_000, 10, 10)
      expect(count(fake, "GetObject")).toBe(4)
    }))

  it.scopedLive("reads one version though the object is replaced between the two requests of a range", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      const bytes = 300_000
      const objects = fake.buckets.get(bucket)!
      yield* store.put("new", new Uint8Array(bytes).fill(2))
      yield* store.put("a", new Uint8Array(bytes).fill(1))
      const run = () => void objects.set("cadastre/test/a", objects.get("cadastre/test/new")!)
      fake.inject("GetObject", 1, { fault: "meanwhile", run })
      expect(yield* store.getRange("a", bytes, 40_000, 10)).toEqual(new Uint8Array(10).fill(2))
      expect(count(fake, "GetObject")).toBe(3)
    }))

  it.scopedLive("speaks with a session token", () =>
    Effect.gen(function*() {
      const fake = yield* FakeS3.make({ ...account, sessionToken: token, buckets: [bucket] })
      const options = optionsFor(fake.endpoint)
      const store = yield* S3BlockStore.make({ ...options, sessionToken: Redacted.make(token) })
      yield* store.put("a", bytesOf(1))
      const error = yield* Effect.flip(S3BlockStore.make({ ...options, sessionToken: Redacted.make("old") }))
      expect(error.message).toContain("the session token is wrong or has expired")
    }))
})

describe("the block store in S3, before it starts", () => {
  const refusals: ReadonlyArray<readonly [string, Partial<S3BlockStore.S3Options>, RegExp]> = [
    [
      "the bucket is missing",
      { bucket: "nowhere" },
      /NoSuchBucket.*bucket nowhere does not exist.*aws s3api create-bucket --bucket nowhere --endpoint-url http:/
    ],
    [
      "the secret is wrong",
      { secretAccessKey: Redacted.make("wrong") },
      /SignatureDoesNotMatch.*the secret access key is not that of the access key id: check both/
    ],
    ["the key id is unknown", { accessKeyId: "stranger" }, /InvalidAccessKeyId.*does not know the access key id/],
    [
      "the region is wrong",
      { region: "eu-central-1" },
      /bucket blocks is not in region eu-central-1: check the region/
    ],
    ["the endpoint is no URL", { endpoint: "localhost:9000" }, /the endpoint must be a URL such as/],
    ["the prefix is no key", { prefix: "/a/" }, /the prefix must be as a key of an object is/]
  ]
  for (const [what, options, message] of refusals) {
    it.scopedLive(`says what to do when ${what}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(fakeAndStore(options))
        expect(error).toMatchObject({ _tag: "StoreUnavailable", operation: "start", retryable: false })
        expect(error.message).toMatch(message)
        expect(error.message).toContain(`s3://${options.bucket ?? bucket}`)
      }))
  }

  it.scopedLive("says that nothing listens at the endpoint", () =>
    Effect.gen(function*() {
      const { endpoint } = yield* Effect.scoped(fakeServer)
      const error = yield* Effect.flip(S3BlockStore.make(optionsFor(endpoint)))
      expect(error).toMatchObject({ _tag: "StoreUnavailable", retryable: true })
      expect(error.message).toMatch(/ECONNREFUSED.*check that the server runs and listens.*\(5 attempts\)/)
    }))

  it.scopedLive("refuses an endpoint that holds a password, and does not repeat it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(fakeAndStore({ endpoint: `http://user:${secret}@localhost:1` }))
      expect(error.message).toContain("must not hold a user or a password")
      expectNoSecret(error)
    }))
})

describe("the block store in S3, when the server or the network fails", () => {
  it.scopedLive("tries again and succeeds", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      fake.inject("PutObject", 2, { fault: "fail", status: 503, code: "SlowDown" })
      yield* store.put("a", bytesOf(100_000))
      expect(count(fake, "PutObject")).toBe(3)
      fake.inject("GetObject", 1, { fault: "fail", status: 500, code: "InternalError" })
      fake.inject("GetObject", 1, { fault: "fail", status: 502 })
      fake.inject("GetObject", 1, { fault: "drop", afterBytes: 0 })
      fake.inject("GetObject", 1, { fault: "drop", afterBytes: 50_000 })
      expectSame(yield* store.get("a"), bytesOf(100_000))
      expect(count(fake, "GetObject")).toBe(5)
      fake.inject("HeadObject", 1, { fault: "fail", status: 503 })
      expect(yield* store.head("a")).toEqual({ key: "a", bytes: 100_000 })
      fake.inject("ListObjectsV2", 1, { fault: "drop", afterBytes: 20 })
      expect(yield* keysOf(store, "")).toEqual(["a"])
      fake.inject("DeleteObject", 1, { fault: "fail", status: 429, code: "TooManyRequests" })
      yield* store.remove("a")
      expect(yield* store.head("a")).toBeUndefined()
    }))

  it.scopedLive("gives up after five attempts, and says so", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      fake.inject("PutObject", 5, { fault: "fail", status: 503, code: "SlowDown" })
      const error = yield* Effect.flip(store.put("a", bytesOf(10)))
      expect(error).toMatchObject({ _tag: "StoreUnavailable", operation: "put a", retryable: true })
      expect(error.message).toMatch(
        /^s3:\/\/blocks\/cadastre\/test at http:\S+: put a failed: SlowDown, status 503.*5 attempts/
      )
      expect(count(fake, "PutObject")).toBe(5)
      yield* store.put("a", bytesOf(10))
    }))

  it.scopedLive("never gives a body that broke off as whole", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      yield* store.put("a", bytesOf(100_000))
      fake.inject("GetObject", 5, { fault: "drop", afterBytes: 90_000 })
      const error = yield* Effect.flip(store.get("a"))
      expect(error).toMatchObject({ _tag: "StoreUnavailable", operation: "get a", retryable: true })
      expect(error.message).toContain("ECONNRESET")
    }))

  it.scopedLive("puts once more when the answer to a put was lost", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      fake.inject("PutObject", 1, { fault: "drop", afterBytes: 0 })
      yield* store.put("a", bytesOf(4 * MIB))
      expect(count(fake, "PutObject")).toBe(2)
      expectSame(yield* store.get("a"), bytesOf(4 * MIB))
    }))

  it.scopedLive("does not wait for an answer for ever", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore({ attemptMillisMax: 250 })
      yield* store.put("a", bytesOf(10))
      fake.inject("GetObject", 1, { fault: "delay", millis: 600_000 })
      expect(yield* store.get("a")).toEqual(bytesOf(10))
      expect(count(fake, "GetObject")).toBeGreaterThan(1)
      fake.inject("GetObject", 5, { fault: "delay", millis: 600_000 })
      const error = yield* Effect.flip(store.get("a"))
      expect(error).toMatchObject({ _tag: "StoreUnavailable", retryable: true })
      expect(error.message).toContain("no complete answer within 250 ms")
    }))

  it.scopedLive("aborts its request when it is interrupted", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      fake.inject("PutObject", 1, { fault: "delay", millis: 600_000 })
      const fiber = yield* Effect.fork(store.put("a", bytesOf(4 * MIB)))
      yield* awaitEvent(fake, "PutObject", "arrived")
      yield* Fiber.interrupt(fiber)
      yield* awaitEvent(fake, "PutObject", "aborted")
    }))

  it.scopedLive("tells apart what cannot be had again: full, denied, missing", () =>
    Effect.gen(function*() {
      const { fake, store } = yield* fakeAndStore()
      for (
        const [status, code] of [[403, "QuotaExceeded"], [507, "InsufficientStorage"], [
          507,
          "XMinioStorageFull"
        ]] as const
      ) {
        fake.inject("PutObject", 1, { fault: "fail", status, code })
        const full = yield* Effect.flip(store.put("a", bytesOf(10)))
        expect(full).toMatchObject({ _tag: "StoreFull", key: "a", reason: expect.stringContaining(code) })
      }
      fake.inject("PutObject", 1, { fault: "fail", status: 403, code: "AccessDenied" })
      const denied = yield* Effect.flip(store.put("a", bytesOf(10)))
      expect(denied).toMatchObject({ _tag: "StoreUnavailable", retryable: false })
      expect(denied.message).toContain("check that the policy of bucket blocks lets it list, get, put and delete")
      expect(count(fake, "PutObject")).toBe(4)
      fake.inject("HeadObject", 1, { fault: "fail", status: 403, code: "AccessDenied" })
      const head = yield* Effect.flip(store.head("a"))
      expect(head.message).toContain("check the access key id, its secret, and what the bucket's policy lets it do")
      fake.buckets.delete(bucket)
      const gone = yield* Effect.flip(store.get("a"))
      expect(gone).toMatchObject({ _tag: "StoreUnavailable", retryable: false })
      expect(gone.message).toContain("bucket blocks does not exist")
    }))
})

describe("the credentials of a block store in S3", () => {
  it.scopedLive("are in no error, no description, no inspection of the options, the store or the layer", () =>
    Effect.gen(function*() {
      const fake = yield* FakeS3.make({ ...account, sessionToken: token, buckets: [bucket] })
      const options = { ...optionsFor(fake.endpoint), sessionToken: Redacted.make(token) }
      const store = yield* S3BlockStore.make(options)
      expectNoSecret([store, store.description, options, S3BlockStore.layer(options)])
      // A server that repeats what it was not even told.
      for (const code of [secret, `X${token}`]) {
        fake.inject("GetObject", 2, { fault: "fail", status: 400, code })
        expectNoSecret(yield* Effect.flip(store.get("a")))
        const cause = yield* Effect.flip(Effect.sandbox(store.get("a")))
        expect(Cause.pretty(cause)).toContain("<redacted>")
        expectNoSecret([cause, Cause.pretty(cause)])
      }
      const attempts = yield* Effect.all([
        Effect.flip(S3BlockStore.make({ ...options, bucket: "nowhere" })),
        Effect.flip(S3BlockStore.make({ ...options, accessKeyId: "stranger" })),
        Effect.flip(S3BlockStore.make({ ...options, region: "eu-central-1" })),
        Effect.flip(S3BlockStore.make({ ...options, endpoint: "http://127.0.0.1:1" })),
        Effect.flip(S3BlockStore.make({ ...options, secretAccessKey: Redacted.make(`${secret}!`) }))
      ])
      expectNoSecret(attempts)
    }))
})

/** Takes events of the server until this one. */
const awaitEvent = (
  fake: FakeS3.FakeS3,
  kind: FakeS3.RequestKind,
  phase: FakeS3.RequestEvent["phase"]
): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(Queue.take(fake.events), {
    until: (event) => event.kind === kind && event.phase === phase
  }))

const expectNoSecret = (value: unknown): void => {
  for (
    const text of [inspect(value, { depth: 20, showHidden: true, getters: true }), JSON.stringify(value), String(value)]
  ) {
    for (const hidden of [secret, token]) expect(text).not.toContain(hidden)
  }
}
