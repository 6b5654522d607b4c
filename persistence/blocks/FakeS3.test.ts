import * as FakeS3 from "#persistence/blocks/FakeS3.testing.ts"
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig
} from "@aws-sdk/client-s3"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Readable } from "node:stream"
import { expect } from "vitest"

const account = { accessKeyId: "fake-key", secretAccessKey: "fake-secret", region: "us-east-1" }
const Bucket = "b"

describe("the fake S3, spoken to by the SDK as it comes", () => {
  it.scoped("puts, gets, heads and deletes objects", () =>
    Effect.gen(function*() {
      const { send } = yield* fakeAndClient()
      const Key = "a/b c+d(é)!"
      yield* send((s3) => s3.send(new PutObjectCommand({ Bucket, Key, Body: "hello" })))
      const got = yield* send((s3) => s3.send(new GetObjectCommand({ Bucket, Key })).then(textOf))
      expect(got).toBe("hello")
      expect((yield* send((s3) => s3.send(new HeadObjectCommand({ Bucket, Key })))).ContentLength).toBe(5)
      yield* send((s3) => s3.send(new DeleteObjectCommand({ Bucket, Key })))
      const error = yield* Effect.flip(send((s3) => s3.send(new GetObjectCommand({ Bucket, Key }))))
      expect(error).toMatchObject({ name: "NoSuchKey", $metadata: { httpStatusCode: 404 } })
    }))

  it.scoped("answers ranges, and says where they do not lie", () =>
    Effect.gen(function*() {
      const { fake, send } = yield* fakeAndClient()
      fake.buckets.get(Bucket)?.set("a", Buffer.from("0123456789"))
      const range = (Range: string) =>
        send((s3) => s3.send(new GetObjectCommand({ Bucket, Key: "a", Range })).then(textOf))
      expect(yield* range("bytes=0-0")).toBe("0")
      expect(yield* range("bytes=3-5")).toBe("345")
      expect(yield* range("bytes=8-100")).toBe("89")
      expect(yield* range("bytes=7-")).toBe("789")
      expect(yield* range("bytes=-2")).toBe("89")
      expect(yield* Effect.flip(range("bytes=10-11"))).toMatchObject({ name: "InvalidRange" })
    }))

  it.scoped("puts only once if asked to put where nothing is", () =>
    Effect.gen(function*() {
      const { send } = yield* fakeAndClient()
      const put = send((s3) => s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: "1", IfNoneMatch: "*" })))
      yield* put
      expect(yield* Effect.flip(put)).toMatchObject({ name: "PreconditionFailed", $metadata: { httpStatusCode: 412 } })
    }))

  it.scoped("lists by prefix and in pages", () =>
    Effect.gen(function*() {
      const { fake, send } = yield* fakeAndClient()
      for (const key of ["a/3", "a/1", "b/1", "a/2", "a&<b>"]) fake.buckets.get(Bucket)?.set(key, new Uint8Array(3))
      const page = (Prefix: string, MaxKeys: number, ContinuationToken?: string) =>
        send((s3) => s3.send(new ListObjectsV2Command({ Bucket, Prefix, MaxKeys, ContinuationToken })))
      const first = yield* page("a/", 2)
      expect(first).toMatchObject({
        IsTruncated: true,
        KeyCount: 2,
        Contents: [{ Key: "a/1", Size: 3 }, { Key: "a/2" }]
      })
      const second = yield* page("a/", 2, first.NextContinuationToken)
      expect(second).toMatchObject({ IsTruncated: false, Contents: [{ Key: "a/3" }] })
      expect((yield* page("a&", 2)).Contents).toMatchObject([{ Key: "a&<b>" }])
      expect((yield* page("c", 2)).KeyCount).toBe(0)
    }))

  it.scoped("knows its buckets, and makes one once", () =>
    Effect.gen(function*() {
      const { send } = yield* fakeAndClient()
      const head = (name: string) => send((s3) => s3.send(new HeadBucketCommand({ Bucket: name })))
      const create = send((s3) => s3.send(new CreateBucketCommand({ Bucket: "new" })))
      yield* head(Bucket)
      expect(yield* Effect.flip(head("new"))).toMatchObject({ $metadata: { httpStatusCode: 404 } })
      yield* create
      yield* head("new")
      expect(yield* Effect.flip(create)).toMatchObject({ name: "BucketAlreadyOwnedByYou" })
    }))

  it.scoped("takes signed payloads and unsigned ones, and answers 411 to a stream with a checksum behind", () =>
    Effect.gen(function*() {
      const { fake, send } = yield* fakeAndClient()
      const put = (Body: Buffer | Readable) =>
        send((s3) => s3.send(new PutObjectCommand({ Bucket, Key: "a", Body, ContentLength: 5 })))
      yield* put(Buffer.from("hello"))
      yield* put(Readable.from([Buffer.from("hello")]))
      expect(fake.requests.map(({ payload }) => payload?.length)).toEqual([64, "UNSIGNED-PAYLOAD".length])
      const { send: sendChecked } = yield* fakeAndClient({ requestChecksumCalculation: "WHEN_SUPPORTED" })
      const body = Readable.from([Buffer.from("hello")])
      const refused = sendChecked((s3) =>
        s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: body, ContentLength: 5 }))
      )
      expect(yield* Effect.flip(refused)).toMatchObject({ $metadata: { httpStatusCode: 411 } })
    }))

  it.scoped("suffers its faults in order, each as often as said", () =>
    Effect.gen(function*() {
      const { fake, send } = yield* fakeAndClient()
      fake.buckets.get(Bucket)?.set("a", Buffer.from("0123456789"))
      const get = send((s3) => s3.send(new GetObjectCommand({ Bucket, Key: "a" })).then(textOf))
      fake.inject("PutObject", 1, { fault: "fail", status: 500, code: "Other" })
      fake.inject("GetObject", 1, { fault: "fail", status: 503, code: "SlowDown" })
      fake.inject("GetObject", 2, { fault: "drop", afterBytes: 4 })
      fake.inject("GetObject", 1, { fault: "delay", millis: 1 })
      expect(yield* Effect.flip(get)).toMatchObject({ name: "SlowDown" })
      expect(yield* Effect.flip(get)).toMatchObject({ code: "ECONNRESET" })
      expect(yield* Effect.flip(get)).toMatchObject({ code: "ECONNRESET" })
      expect(yield* get).toBe("0123456789")
      fake.corrupt(Bucket, "a", 9)
      fake.truncate(Bucket, "a", 10)
      expect(yield* get).toBe("0123456788")
      fake.truncate(Bucket, "a", 2)
      expect(yield* get).toBe("01")
    }))
})

const fakeAndClient = (config: S3ClientConfig = {}): Effect.Effect<
  {
    readonly fake: FakeS3.FakeS3
    readonly send: <A>(use: (s3: S3Client) => Promise<A>) => Effect.Effect<A, unknown>
  },
  never,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const fake = yield* FakeS3.make({ ...account, buckets: [Bucket] })
    const s3 = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new S3Client({
          endpoint: fake.endpoint,
          region: account.region,
          forcePathStyle: true,
          credentials: account,
          maxAttempts: 1,
          requestChecksumCalculation: "WHEN_REQUIRED",
          logger: { trace: () => {}, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
          ...config
        })
      ),
      (s3) => Effect.sync(() => s3.destroy())
    )
    return { fake, send: (use) => Effect.tryPromise({ try: () => use(s3), catch: (error) => error }) }
  })

const textOf = (answer: { readonly Body?: { transformToString(): Promise<string> } | undefined }): Promise<string> =>
  answer.Body?.transformToString() ?? Promise.reject(new Error("the answer has no body"))
