/**
 * The block store in a bucket of any S3: one sealed object a key, under a prefix.
 * It is as durable as the server says it is; it makes no bucket and sets no policy.
 *
 * The SDK is told not to retry, so that one layer does, over the answer's body too, which the SDK leaves out.
 */
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as S3Failure from "#persistence/blocks/S3Failure.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig
} from "@aws-sdk/client-s3"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { Readable } from "node:stream"

/** Requests at a time, one connection each. */
const requestsMax = 32
/** Requests for one thing before its last error stands. */
const attemptsMax = 5
/** Milliseconds before the second request; each wait after that is twice as long, and none is exact. */
const firstWaitMillis = 50
const connectMillisMax = 5_000
const attemptMillisMax = 60_000
/** Bytes between a range and the trailer that are read along rather than with a second request. */
const gapBytesMax = 64 * 1024
/** Bytes of the prefix, so that S3's 1,024 hold it and the key. */
const prefixBytesMax = 255

export interface S3Options {
  readonly bucket: string
  /** Put before every key, with a slash between; empty for none. */
  readonly prefix: string
  /** The server's URL; AWS if there is none. */
  readonly endpoint?: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken?: Redacted.Redacted<string>
  /** `http://host/bucket/key` instead of `http://bucket.host/key`; most servers that are not AWS want it. */
  readonly forcePathStyle: boolean
  /** Milliseconds for one request with its answer; a minute if not given. */
  readonly attemptMillisMax?: number
}

/** Checks that the bucket is there and that the key may list it. */
export const make = (
  options: S3Options
): Effect.Effect<BlockStore.BlockStoreService, BlockStore.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function*() {
    const store = yield* describe(options)
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => clientOf(options)),
      (client) => Effect.sync(() => client.destroy())
    )
    const semaphore = yield* Effect.makeSemaphore(requestsMax)
    const { check, service } = serve(options, store, client, semaphore)
    yield* check
    return service
  })

export const layer = (options: S3Options): Layer.Layer<BlockStore.BlockStore, BlockStore.StoreUnavailable> =>
  Layer.scoped(BlockStore.BlockStore, make(options))

/** What an answer to a GET holds of the stored form. */
interface Fetched {
  readonly start: number
  readonly bytes: Uint8Array
  readonly storedBytes: number
  /** Names the version of the object, so that two answers can be told to be of one. */
  readonly etag: string | undefined
}

interface Served {
  readonly service: BlockStore.BlockStoreService
  /** One cheap request that tells whether the bucket can be used; GET, because an answer to HEAD carries no code. */
  readonly check: Effect.Effect<void, BlockStore.StoreUnavailable>
}

/** Longer than a screen, because its operations share the client and the semaphore; each of them is short. */
const serve = (options: S3Options, store: string, client: S3Client, semaphore: Effect.Semaphore): Served => {
  const place: S3Failure.S3Place = {
    bucket: options.bucket,
    region: options.region,
    endpoint: options.endpoint,
    secrets: [options.secretAccessKey, ...options.sessionToken === undefined ? [] : [options.sessionToken]]
  }
  const root = options.prefix === "" ? "" : `${options.prefix}/`
  const attemptMillis = options.attemptMillisMax ?? attemptMillisMax
  const Bucket = options.bucket

  const request = <A>(send: (abortSignal: AbortSignal) => Promise<A>): Effect.Effect<A, S3Failure.S3Failure> =>
    Effect.tryPromise({ try: send, catch: (error) => S3Failure.judge(error, place) }).pipe(
      Effect.timeoutFail({ duration: attemptMillis, onTimeout: () => S3Failure.timedOut(attemptMillis) }),
      semaphore.withPermits(1),
      Effect.retry({
        schedule: Schedule.jittered(Schedule.exponential(firstWaitMillis)),
        times: attemptsMax - 1,
        while: (failure) => failure.retryable
      })
    )

  const unavailable = (operation: string) => ({ reason, retryable }: S3Failure.S3Failure) =>
    new BlockStore.StoreUnavailable({
      store,
      operation,
      reason: retryable ? `${reason} (${attemptsMax} attempts)` : reason,
      retryable
    })

  const corrupt = (key: string, reason: string): BlockStore.ObjectCorrupt =>
    new BlockStore.ObjectCorrupt({ key, store, reason })

  const writeError = (key: string) => (failure: S3Failure.S3Failure): BlockStore.WriteError =>
    failure.kind === "full"
      ? new BlockStore.StoreFull({ key, store, reason: failure.reason })
      : unavailable(`put ${key}`)(failure)

  const readError = (key: string) => (failure: S3Failure.S3Failure): BlockStore.ReadError => {
    if (failure.kind === "missing") return new BlockStore.ObjectMissing({ key, store })
    if (failure.kind === "range") return corrupt(key, "it ends before the bytes that were asked for")
    return unavailable(`get ${key}`)(failure)
  }

  const put = (key: string, bytes: Uint8Array): Effect.Effect<void, BlockStore.WriteError> =>
    Effect.suspend(() => {
      const parts = [bytes, SealedObject.seal(bytes)].filter((part) => part.length > 0)
      const payload = payloadHash(options, parts)
      const send = async (abortSignal: AbortSignal): Promise<void> => {
        const command = new PutObjectCommand({
          Bucket,
          Key: root + key,
          // A stream, because the SDK takes one piece of memory or a stream, and joining the parts copies them.
          Body: Readable.from(parts),
          ContentLength: SealedObject.sealedBytes(bytes.length)
        })
        command.middlewareStack.add((next) => (args) => {
          if (hasHeaders(args.request)) args.request.headers["x-amz-content-sha256"] = payload
          return next(args)
        }, { step: "build", name: "cadastrePayloadHash" })
        await client.send(command, { abortSignal })
      }
      return Effect.mapError(request(send), writeError(key))
    })

  const fetch = (key: string, range?: Range): Effect.Effect<Fetched, BlockStore.ReadError> =>
    Effect.mapError(
      request(async (abortSignal) => {
        const Range = range === undefined ? undefined : `bytes=${range.start}-${range.end - 1}`
        const answer = await client.send(new GetObjectCommand({ Bucket, Key: root + key, Range }), { abortSignal })
        return fetchedOf(answer.ContentRange, await collect(answer.Body), answer.ETag)
      }),
      readError(key)
    )

  const get = (key: string): Effect.Effect<Uint8Array, BlockStore.ReadError> =>
    Effect.flatMap(
      fetch(key),
      ({ bytes }) => Effect.mapError(SealedObject.open(bytes), (reason) => corrupt(key, reason))
    )

  const getRange = (
    key: string,
    objectBytes: number,
    offset: number,
    length: number
  ): Effect.Effect<Uint8Array, BlockStore.ReadError> =>
    Effect.gen(function*() {
      const cover = SealedObject.cover(objectBytes, offset, length)
      let answers = yield* Effect.all(
        rangesOf(objectBytes, cover).map((range) => fetch(key, range)),
        { concurrency: "unbounded" }
      )
      // Replaced between the two requests: the whole of it in one request is of one version.
      if (answers.some(({ etag }) => etag !== answers[0]?.etag)) answers = [yield* fetch(key)]
      const pieces = bytesOf(answers, { start: cover.start, end: cover.end })
      const trailer = bytesOf(answers, { start: objectBytes, end: SealedObject.sealedBytes(objectBytes) })
      const fault = SealedObject.sizeFault(answers[0]?.storedBytes ?? 0, objectBytes) ??
        SealedObject.trailerFault(trailer, objectBytes) ??
        SealedObject.piecesFault(pieces, cover, trailer)
      if (fault !== undefined) return yield* corrupt(key, fault)
      return pieces.subarray(offset - cover.start, offset - cover.start + length)
    })

  const head = (key: string): Effect.Effect<BlockStore.ObjectInfo | undefined, BlockStore.StoreUnavailable> =>
    request((abortSignal) => client.send(new HeadObjectCommand({ Bucket, Key: root + key }), { abortSignal })).pipe(
      Effect.map(({ ContentLength = 0 }) => ({ key, bytes: SealedObject.objectBytesOf(ContentLength) })),
      Effect.catchIf((failure) => failure.kind === "missing", () => Effect.succeed(undefined)),
      Effect.mapError(unavailable(`head ${key}`))
    )

  const remove = (key: string): Effect.Effect<void, BlockStore.StoreUnavailable> =>
    request((abortSignal) => client.send(new DeleteObjectCommand({ Bucket, Key: root + key }), { abortSignal })).pipe(
      Effect.asVoid,
      Effect.catchIf((failure) => failure.kind === "missing", () => Effect.void),
      Effect.mapError(unavailable(`remove ${key}`))
    )

  const listPage = (prefix: string, ContinuationToken: string | undefined, MaxKeys?: number) =>
    request((abortSignal) =>
      client.send(
        new ListObjectsV2Command({ Bucket, Prefix: root + prefix, ContinuationToken, MaxKeys }),
        { abortSignal }
      )
    )

  const list = (prefix: string): Stream.Stream<BlockStore.ObjectInfo, BlockStore.StoreUnavailable> =>
    Stream.paginateChunkEffect(
      undefined as string | undefined,
      (token) =>
        Effect.map(listPage(prefix, token), ({ Contents = [], NextContinuationToken }) => {
          const infos = Contents.flatMap(({ Key = "", Size = 0 }) => {
            const key = Key.slice(root.length)
            return ObjectKey.isKey(key) ? [{ key, bytes: SealedObject.objectBytesOf(Size) }] : []
          })
          return [Chunk.unsafeFromArray(infos), Option.map(Option.fromNullable(NextContinuationToken), (next) => next)]
        })
    ).pipe(Stream.mapError(unavailable(`list ${prefix}`)))

  const forKey = <A, E>(key: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.zipRight(ObjectKey.checkKey(key), effect)

  return {
    check: Effect.asVoid(Effect.mapError(listPage("", undefined, 1), unavailable("start"))),
    service: {
      description: store,
      put: (key, bytes) => forKey(key, put(key, bytes)),
      get: (key) => forKey(key, get(key)),
      getRange: (key, objectBytes, offset, length) => forKey(key, getRange(key, objectBytes, offset, length)),
      head: (key) => forKey(key, head(key)),
      remove: (key) => forKey(key, remove(key)),
      list: (prefix) => Stream.unwrap(Effect.as(ObjectKey.checkPrefix(prefix), list(prefix)))
    }
  }
}

/** What the store is, or what is wrong with the options. An endpoint that holds a password is not repeated. */
const describe = (options: S3Options): Effect.Effect<string, BlockStore.StoreUnavailable> => {
  const store = `s3://${options.bucket}${options.prefix === "" ? "" : `/${options.prefix}`}`
  const refuse = (reason: string) =>
    Effect.fail(new BlockStore.StoreUnavailable({ store, operation: "start", reason, retryable: false }))
  if (options.prefix !== "" && !(ObjectKey.isKey(options.prefix) && options.prefix.length <= prefixBytesMax)) {
    return refuse(`the prefix must be as a key of an object is, at most ${prefixBytesMax} bytes, no slash at its ends`)
  }
  if (options.endpoint === undefined) return Effect.succeed(`${store} at AWS, region ${options.region}`)
  const url = URL.parse(options.endpoint)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return refuse("the endpoint must be a URL such as http://127.0.0.1:9000 or https://s3.example.org")
  }
  if (url.username !== "" || url.password !== "") {
    return refuse("the endpoint must not hold a user or a password: give the access key id and its secret instead")
  }
  return Effect.succeed(`${store} at ${url.origin}`)
}

const clientOf = (options: S3Options): S3Client => {
  const { accessKeyId, endpoint, forcePathStyle, region, secretAccessKey, sessionToken } = options
  const agent = { keepAlive: true, maxSockets: requestsMax }
  return new S3Client({
    region,
    forcePathStyle,
    ...endpoint === undefined ? {} : { endpoint },
    credentials: () =>
      Promise.resolve({
        accessKeyId,
        secretAccessKey: Redacted.value(secretAccessKey),
        ...sessionToken === undefined ? {} : { sessionToken: Redacted.value(sessionToken) }
      }),
    maxAttempts: 1,
    // Objects carry their own checksums, and some servers answer 411 to the SDK's streaming trailers.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // It would cost a round trip and a new connection for every large object.
    expectContinueHeader: false,
    logger: silent,
    requestHandler: { connectionTimeout: connectMillisMax, httpAgent: agent, httpsAgent: agent }
  })
}

/** The SDK warns on the console that it cannot retry a stream; every error reaches the caller anyway. */
const silent: NonNullable<S3ClientConfig["logger"]> = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {}
}

/** TLS guards the payload already; without it, the signature covers the payload too. */
const payloadHash = ({ endpoint }: S3Options, parts: ReadonlyArray<Uint8Array>): string => {
  if (endpoint === undefined || /^https:/i.test(endpoint)) return "UNSIGNED-PAYLOAD"
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex")
}

const hasHeaders = (request: unknown): request is { readonly headers: Record<string, string> } =>
  typeof request === "object" && request !== null && "headers" in request

interface Range {
  readonly start: number
  /** One past the last byte. */
  readonly end: number
}

/** What to ask for: the pieces and the trailer, in one request where little or nothing lies between. */
const rangesOf = (objectBytes: number, { start, end }: SealedObject.Cover): ReadonlyArray<Range> => {
  const trailer = { start: objectBytes, end: SealedObject.sealedBytes(objectBytes) }
  if (objectBytes - end <= gapBytesMax) return [{ start, end: trailer.end }]
  return start === end ? [trailer] : [{ start, end }, trailer]
}

/** A range from whichever answer holds it; shorter than asked if none does. */
const bytesOf = (answers: ReadonlyArray<Fetched>, { start, end }: Range): Uint8Array => {
  const holder = answers.find((answer) => answer.start <= start && end <= answer.start + answer.bytes.length)
  return holder === undefined ? new Uint8Array(0) : holder.bytes.subarray(start - holder.start, end - holder.start)
}

/** A server may ignore the range and answer with everything. */
const fetchedOf = (contentRange: string | undefined, bytes: Uint8Array, etag: string | undefined): Fetched => {
  const [, start, storedBytes] = /^bytes (\d+)-\d+\/(\d+)$/.exec(contentRange ?? "") ?? []
  return { start: Number(start ?? 0), bytes, storedBytes: Number(storedBytes ?? bytes.length), etag }
}

const collect = async (body: unknown): Promise<Uint8Array> => {
  if (!(body instanceof Readable)) throw new TypeError("the answer has no body")
  const chunks: Array<Uint8Array> = []
  for await (const chunk of body) chunks.push(chunk)
  const all = Buffer.concat(chunks)
  return new Uint8Array(all.buffer, all.byteOffset, all.byteLength)
}
