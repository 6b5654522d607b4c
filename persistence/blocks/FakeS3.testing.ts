/**
 * A small S3 server on 127.0.0.1 for tests: objects in memory, signatures checked, faults on demand.
 * Path style only; no versions, no multipart uploads, no policies. What it refuses, it refuses as S3 does, in XML.
 */
import { type Account, problemOf, type SignatureProblem } from "#persistence/blocks/SignatureV4.testing.ts"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"

export type RequestKind =
  | "PutObject"
  | "GetObject"
  | "HeadObject"
  | "DeleteObject"
  | "ListObjectsV2"
  | "HeadBucket"
  | "CreateBucket"

/** What happens to a request instead of, before or after what should. */
export type Fault =
  /** Refused, and nothing is done. Without a code the body is a proxy's HTML page. */
  | { readonly fault: "fail"; readonly status: number; readonly code?: string }
  /** Done and answered, but late. */
  | { readonly fault: "delay"; readonly millis: number }
  /** Done, but the connection breaks after so many bytes of the answer's body; before its head, if 0. */
  | { readonly fault: "drop"; readonly afterBytes: number }
  /** Done; then this happens, and then the answer leaves. */
  | { readonly fault: "meanwhile"; readonly run: () => void }

/** `aborted`: the client went before it had the answer. */
export interface RequestEvent {
  readonly phase: "arrived" | "answered" | "aborted"
  readonly kind: RequestKind
  readonly key: string
  readonly range: string | undefined
  /** What the client says of the payload: its SHA-256 or UNSIGNED-PAYLOAD. */
  readonly payload: string | undefined
}

export interface FakeS3Options extends Account {
  readonly region: string
  /** Buckets to begin with. */
  readonly buckets: ReadonlyArray<string>
}

export interface FakeS3 {
  readonly endpoint: string
  /** Buckets, and the stored bytes of the objects in each. */
  readonly buckets: Map<string, Map<string, Uint8Array>>
  /** The next so many requests of a kind suffer this; faults of one kind are served in the order of these calls. */
  readonly inject: (kind: RequestKind, times: number, fault: Fault) => void
  /** Flips one bit of a stored object. */
  readonly corrupt: (bucket: string, key: string, offset: number) => void
  /** Keeps only the first bytes of a stored object. */
  readonly truncate: (bucket: string, key: string, bytes: number) => void
  /** Every request so far. */
  readonly requests: ReadonlyArray<RequestEvent>
  /** The same and how each ended, to be awaited. */
  readonly events: Queue.Dequeue<RequestEvent>
}

export const make = (options: FakeS3Options): Effect.Effect<FakeS3, never, Scope.Scope> =>
  Effect.gen(function*() {
    const buckets = new Map(options.buckets.map((name) => [name, new Map<string, Uint8Array>()]))
    const faults: Array<{ readonly kind: RequestKind; readonly fault: Fault }> = []
    const requests: Array<RequestEvent> = []
    const events = yield* Queue.unbounded<RequestEvent>()

    const takeFault = (kind: RequestKind): Fault | undefined => {
      const index = faults.findIndex((fault) => fault.kind === kind)
      return index < 0 ? undefined : faults.splice(index, 1)[0]?.fault
    }

    const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = await bodyOf(message)
      const request = parse(message, body)
      const event = (phase: RequestEvent["phase"]): RequestEvent => ({
        phase,
        kind: request.kind,
        key: request.key,
        range: message.headers.range,
        payload: [message.headers["x-amz-content-sha256"]].flat()[0]
      })
      requests.push(event("arrived"))
      events.unsafeOffer(event("arrived"))
      response.once("close", () => events.unsafeOffer(event(response.writableFinished ? "answered" : "aborted")))
      const problem = problemOf(
        { method: request.method, url: request.url, headers: message.headers, body },
        options,
        options.region,
        Date.now()
      )
      const fault = takeFault(request.kind)
      if (problem !== undefined) return send(response, request, errorAnswer(statuses[problem], problem, request))
      if (fault?.fault === "fail") return send(response, request, errorAnswer(fault.status, fault.code, request))
      const answer = answerOf(buckets, request)
      if (fault?.fault === "drop") return drop(response, answer, fault.afterBytes)
      if (fault?.fault === "meanwhile") fault.run()
      if (fault?.fault !== "delay") return send(response, request, answer)
      const timer = setTimeout(() => send(response, request, answer), fault.millis)
      response.once("close", () => clearTimeout(timer))
    }

    const server = yield* Effect.acquireRelease(listen(serve), close)
    const storedOf = (bucket: string, key: string): Uint8Array => {
      const stored = buckets.get(bucket)?.get(key)
      if (stored === undefined) throw new Error(`there is no object ${key} in ${bucket} to damage`)
      return stored
    }
    return {
      endpoint: endpointOf(server),
      buckets,
      inject: (kind, times, fault) => void faults.push(...Array.from({ length: times }, () => ({ kind, fault }))),
      corrupt: (bucket, key, offset) => {
        const stored = storedOf(bucket, key)
        const byte = stored[offset]
        if (byte === undefined) throw new Error(`object ${key} has ${stored.length} stored bytes, none at ${offset}`)
        stored[offset] = byte ^ 1
      },
      truncate: (bucket, key, bytes) => void buckets.get(bucket)?.set(key, storedOf(bucket, key).slice(0, bytes)),
      requests,
      events
    }
  })

interface Request {
  readonly kind: RequestKind
  readonly method: string
  readonly url: string
  readonly bucket: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage["headers"]
  readonly body: Uint8Array
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

const parse = (message: IncomingMessage, body: Uint8Array): Request => {
  const { headers, method = "", url = "" } = message
  const { pathname, searchParams } = new URL(url, "http://fake")
  const [, bucket = "", ...segments] = pathname.split("/").map(decodeURIComponent)
  const key = segments.join("/")
  return { kind: kindOf(method, key), method, url, bucket, key, query: searchParams, headers, body }
}

const kindOf = (method: string, key: string): RequestKind => {
  if (method === "PUT") return key === "" ? "CreateBucket" : "PutObject"
  if (method === "HEAD") return key === "" ? "HeadBucket" : "HeadObject"
  if (method === "DELETE") return "DeleteObject"
  return key === "" ? "ListObjectsV2" : "GetObject"
}

const answerOf = (buckets: Map<string, Map<string, Uint8Array>>, request: Request): Answer => {
  const { bucket, headers, key, kind } = request
  const objects = buckets.get(bucket)
  if (kind === "CreateBucket") {
    if (objects !== undefined) return errorAnswer(409, "BucketAlreadyOwnedByYou", request)
    buckets.set(bucket, new Map())
    return { status: 200 }
  }
  if (objects === undefined) return errorAnswer(404, "NoSuchBucket", request)
  const stored = objects.get(key)
  switch (kind) {
    case "HeadBucket":
      return { status: 200 }
    case "ListObjectsV2":
      return listing(objects, request)
    case "PutObject":
      if (headers["content-length"] === undefined) return errorAnswer(411, "MissingContentLength", request)
      if (headers["if-none-match"] === "*" && stored !== undefined) {
        return errorAnswer(412, "PreconditionFailed", request)
      }
      objects.set(key, request.body)
      return { status: 200, headers: { etag: etagOf(request.body) } }
    case "DeleteObject":
      objects.delete(key)
      return { status: 204 }
    case "HeadObject":
    case "GetObject":
      return stored === undefined ? errorAnswer(404, "NoSuchKey", request) : objectAnswer(stored, request)
  }
}

const objectAnswer = (stored: Uint8Array, request: Request): Answer => {
  const headers = { etag: etagOf(stored), "accept-ranges": "bytes", "content-type": "application/octet-stream" }
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "")
  if (range === null) return { status: 200, headers, body: stored }
  const [, first = "", last = ""] = range
  const start = first === "" ? Math.max(0, stored.length - Number(last)) : Number(first)
  const end = first === "" || last === "" ? stored.length : Math.min(stored.length, Number(last) + 1)
  if (start >= end) return errorAnswer(416, "InvalidRange", request)
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${stored.length}` },
    body: stored.subarray(start, end)
  }
}

const listing = (objects: Map<string, Uint8Array>, request: Request): Answer => {
  const { query } = request
  if (query.get("list-type") !== "2" || query.has("delimiter")) return errorAnswer(501, "NotImplemented", request)
  const prefix = query.get("prefix") ?? ""
  const token = query.get("continuation-token")
  const after = token === null ? query.get("start-after") ?? "" : Buffer.from(token, "base64url").toString()
  const keysMax = Math.min(1000, Number(query.get("max-keys") ?? 1000))
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
  const page = keys.slice(0, keysMax)
  const last = page.at(-1)
  const next = keys.length > page.length && last !== undefined ? Buffer.from(last).toString("base64url") : undefined
  const contents = page.map((key) =>
    `<Contents><Key>${escapeXml(key)}</Key><Size>${objects.get(key)?.length ?? 0}</Size></Contents>`
  )
  const more = next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`
  return xmlAnswer(
    200,
    `<ListBucketResult><Name>${escapeXml(request.bucket)}</Name><Prefix>${escapeXml(prefix)}</Prefix>` +
      `<KeyCount>${page.length}</KeyCount><MaxKeys>${keysMax}</MaxKeys><IsTruncated>${
        next !== undefined
      }</IsTruncated>` +
      `${more}${contents.join("")}</ListBucketResult>`
  )
}

const statuses: Readonly<Record<SignatureProblem, number>> = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  InvalidAccessKeyId: 403,
  InvalidToken: 400,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
  MissingContentLength: 411
}

const errorAnswer = (status: number, code: string | undefined, { key }: Request): Answer =>
  code === undefined
    ? { status, headers: { "content-type": "text/html" }, body: Buffer.from("<html><body>Bad Gateway<hr></html>") }
    : xmlAnswer(
      status,
      `<Error><Code>${code}</Code><Message>this is ${code}</Message><Key>${escapeXml(key)}</Key></Error>`
    )

const xmlAnswer = (status: number, xml: string): Answer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`)
})

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const etagOf = (bytes: Uint8Array): string => `"${createHash("md5").update(bytes).digest("hex")}"`

const writeHead = (response: ServerResponse, { body, headers, status }: Answer): void => {
  const length = status === 204 ? {} : { "content-length": String(body?.length ?? 0) }
  response.writeHead(status, { ...headers, ...length, "x-amz-request-id": "0" })
}

const send = (response: ServerResponse, { method }: Request, answer: Answer): void => {
  writeHead(response, answer)
  response.end(method === "HEAD" ? undefined : answer.body)
}

const drop = (response: ServerResponse, answer: Answer, afterBytes: number): void => {
  if (afterBytes === 0) return void response.destroy()
  writeHead(response, answer)
  response.write(answer.body?.subarray(0, afterBytes) ?? "", () => response.destroy())
}

const bodyOf = async (message: IncomingMessage): Promise<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of message) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

const listen = (
  serve: (message: IncomingMessage, response: ServerResponse) => Promise<void>
): Effect.Effect<Server> =>
  Effect.async((resume) => {
    const server = createServer((message, response) => {
      serve(message, response).catch((error: unknown) => {
        // The client has gone in the middle of its request, or this server has a bug that its client shall see.
        if (message.destroyed && !message.complete) return
        response.writeHead(500, { "content-type": "application/xml" })
        response.end(`<Error><Code>InternalError</Code><Message>${escapeXml(String(error))}</Message></Error>`)
      })
    })
    server.once("error", (error) => resume(Effect.die(error)))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.async((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const endpointOf = (server: Server): string => {
  const address = server.address()
  if (address === null || typeof address === "string") {
    throw new Error("the fake S3 server has no address")
  }
  return `http://${address.address}:${address.port}`
}
