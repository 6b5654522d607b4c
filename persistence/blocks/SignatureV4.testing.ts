/**
 * AWS Signature Version 4 as a server checks it, written from the specification and not from the SDK that it tests.
 * For tests: headers only, no presigned URLs and no chunked signatures.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"

export interface SignedRequest {
  readonly method: string
  /** Path and query as they were sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

export interface Account {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** How S3 refuses. */
export type SignatureProblem =
  | "AccessDenied"
  | "AuthorizationHeaderMalformed"
  | "InvalidAccessKeyId"
  | "InvalidToken"
  | "RequestTimeTooSkewed"
  | "SignatureDoesNotMatch"
  | "XAmzContentSHA256Mismatch"
  | "MissingContentLength"

const skewMillisMax = 15 * 60 * 1000

/** Why a request is not this account's, in this region, now; undefined if it is. */
export const problemOf = (
  request: SignedRequest,
  account: Account,
  region: string,
  nowMillis: number
): SignatureProblem | undefined => {
  const authorization = request.headers.authorization
  if (authorization === undefined) return "AccessDenied"
  const parsed = /^AWS4-HMAC-SHA256 Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/
    .exec(authorization)
  const [, credential = "", signedHeaders = "", signature = ""] = parsed ?? []
  const [accessKeyId, date = "", itsRegion, service, terminator] = credential.split("/")
  if (itsRegion !== region || service !== "s3" || terminator !== "aws4_request") return "AuthorizationHeaderMalformed"
  if (accessKeyId !== account.accessKeyId) return "InvalidAccessKeyId"
  if (headerOf(request, "x-amz-security-token") !== (account.sessionToken ?? "")) return "InvalidToken"

  const time = headerOf(request, "x-amz-date")
  if (!time.startsWith(date) || !(Math.abs(millisOf(time) - nowMillis) <= skewMillisMax)) return "RequestTimeTooSkewed"

  const names = signedHeaders.split(";")
  const mustBeSigned = Object.keys(request.headers).filter((name) => name === "host" || name.startsWith("x-amz-"))
  if (!mustBeSigned.every((name) => names.includes(name))) return "AccessDenied"

  const scope = `${date}/${region}/s3/aws4_request`
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonicalRequest(request, names))].join("\n")
  const expected = hmac(signingKey(account.secretAccessKey, date, region), text)
  if (!timingSafeEqual(Buffer.from(signature, "hex"), expected)) return "SignatureDoesNotMatch"

  const payload = headerOf(request, "x-amz-content-sha256")
  if (payload.startsWith("STREAMING-")) return "MissingContentLength"
  return payload === "UNSIGNED-PAYLOAD" || payload === sha256(request.body) ? undefined : "XAmzContentSHA256Mismatch"
}

const canonicalRequest = (request: SignedRequest, names: ReadonlyArray<string>): string => {
  const [path = "", query = ""] = request.url.split("?")
  return [
    request.method,
    path.split("/").map((segment) => uriEncode(decodeURIComponent(segment))).join("/"),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${headerOf(request, name).trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    headerOf(request, "x-amz-content-sha256")
  ].join("\n")
}

const canonicalQuery = (query: string): string =>
  query.split("&").filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", value = ""] = pair.split("=")
      return `${uriEncode(decodeURIComponent(name))}=${uriEncode(decodeURIComponent(value))}`
    })
    .sort()
    .join("&")

const signingKey = (secret: string, date: string, region: string): Buffer =>
  ["s3", "aws4_request"].reduce((key, part) => hmac(key, part), hmac(hmac(`AWS4${secret}`, date), region))

/** What `encodeURIComponent` leaves alone, and S3 does not. */
const uriEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

const headerOf = ({ headers }: SignedRequest, name: string): string => {
  const value = headers[name]
  return Array.isArray(value) ? value.join(",") : value ?? ""
}

/** 20250131T235959Z */
const millisOf = (time: string): number =>
  Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"))

const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac("sha256", key).update(text).digest()

const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
