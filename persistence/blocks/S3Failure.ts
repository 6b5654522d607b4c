/**
 * Why a request to S3 failed, judged for who must act on it: by the server's error code, its status, or the network's.
 * It makes no requests and retries nothing, and no text that it gives holds a secret.
 */
import * as Redacted from "effect/Redacted"

export interface S3Failure {
  /** `missing`: no such object. `range`: the object ends before the range. `full`: no room. */
  readonly kind: "missing" | "range" | "full" | "unavailable"
  /** What happened and what to check. */
  readonly reason: string
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
}

/** What a judge may name, and what no text may. */
export interface S3Place {
  readonly bucket: string
  readonly region: string
  /** The endpoint's URL; undefined for AWS. */
  readonly endpoint: string | undefined
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

export const judge = (error: unknown, place: S3Place): S3Failure => {
  const code = codeOf(error)
  const status = statusOf(error)
  const { kind, retryable, advice } = verdictOf(code, status)
  const what = [code, status === undefined ? undefined : `status ${status}`, messageOf(error)]
  const reason = `${what.filter((part) => part !== undefined).join(", ")}${
    advice === undefined ? "" : `; ${advice(place)}`
  }`
  return { kind, retryable, reason: place.secrets.reduce(withoutSecret, reason) }
}

export const timedOut = (millis: number): S3Failure => ({
  kind: "unavailable",
  retryable: true,
  reason: `no complete answer within ${millis} ms; check the server and the network`
})

interface Verdict {
  readonly kind: S3Failure["kind"]
  readonly retryable: boolean
  readonly advice?: (place: S3Place) => string
}

const refused = (advice?: (place: S3Place) => string): Verdict =>
  advice === undefined
    ? { kind: "unavailable", retryable: false }
    : { kind: "unavailable", retryable: false, advice }

const passing = (advice?: string): Verdict =>
  advice === undefined
    ? { kind: "unavailable", retryable: true }
    : { kind: "unavailable", retryable: true, advice: () => advice }

const full: Verdict = { kind: "full", retryable: false }
const missing: Verdict = { kind: "missing", retryable: false }

const otherRegion = refused(({ bucket, region }) => `bucket ${bucket} is not in region ${region}: check the region`)
const expired = refused(() => "the session token is wrong or has expired: get a new one")
const denied = refused(({ bucket }) =>
  `the key may not do this: check that the policy of bucket ${bucket} lets it list, get, put and delete`
)
const certificate = refused(({ endpoint }) =>
  `the server's certificate is not trusted: check the endpoint ${endpoint ?? "of AWS"} and the trusted authorities`
)

/** By the code in the server's answer, or the system's for a connection. */
const verdicts: ReadonlyMap<string, Verdict> = new Map([
  ["NoSuchKey", missing],
  ["NotFound", missing],
  ["InvalidRange", { kind: "range", retryable: false }],
  ["NoSuchBucket", refused(howToMakeBucket)],
  ["InvalidAccessKeyId", refused(() => "the server does not know the access key id: check it and the endpoint")],
  ["SignatureDoesNotMatch", refused(() => "the secret access key is not that of the access key id: check both")],
  ["AccessDenied", denied],
  ["AllAccessDisabled", denied],
  ["AccountProblem", denied],
  ["ExpiredToken", expired],
  ["InvalidToken", expired],
  ["AuthorizationHeaderMalformed", otherRegion],
  ["PermanentRedirect", otherRegion],
  ["IllegalLocationConstraintException", otherRegion],
  ["RequestTimeTooSkewed", passing("this machine's clock differs from the server's: synchronise it")],
  ["QuotaExceeded", full],
  ["InsufficientCapacity", full],
  ["XMinioStorageFull", full],
  ["XMinioAdminBucketQuotaExceeded", full],
  ["SlowDown", passing()],
  ["RequestTimeout", passing()],
  ["RequestLimitExceeded", passing()],
  ["OperationAborted", passing()],
  ["ConditionalRequestConflict", passing()],
  ["TimeoutError", passing("check the server and the network")],
  ["ECONNREFUSED", passing("check that the server runs and listens at the endpoint")],
  ["ENOTFOUND", passing("check the host name of the endpoint, and whether it wants path style")],
  ["EAI_AGAIN", passing("the name service does not answer")],
  ["ECONNRESET", passing()],
  ["ECONNABORTED", passing()],
  ["EPIPE", passing()],
  ["ETIMEDOUT", passing("check the server and the network")],
  ["EHOSTUNREACH", passing("check the network")],
  ["ENETUNREACH", passing("check the network")],
  ["ERR_STREAM_PREMATURE_CLOSE", passing()],
  ["EMFILE", passing("raise the limit of open files of this process")],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", certificate],
  ["SELF_SIGNED_CERT_IN_CHAIN", certificate],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", certificate],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", certificate],
  ["CERT_HAS_EXPIRED", certificate],
  ["ERR_TLS_CERT_ALTNAME_INVALID", certificate],
  ["EPROTO", refused(() => "the endpoint does not speak TLS: check whether it is http or https")]
])

const verdictOf = (code: string | undefined, status: number | undefined): Verdict => {
  const known = verdicts.get(code ?? "")
  if (known !== undefined) return known
  if (status === 507) return full
  if (status === 416) return { kind: "range", retryable: false }
  if (status === 301 || status === 307) return otherRegion
  if (status === 401 || status === 403) {
    return refused(() => "check the access key id, its secret, and what the bucket's policy lets it do")
  }
  return status !== undefined && (status >= 500 || status === 429 || status === 408) ? passing() : refused()
}

function howToMakeBucket({ bucket, endpoint }: S3Place): string {
  const where = endpoint === undefined ? "" : ` --endpoint-url ${endpoint}`
  return `bucket ${bucket} does not exist: check its name or make it with ` +
    `aws s3api create-bucket --bucket ${bucket}${where}`
}

/** The SDK puts the server's code into the name; Node puts the system's into the code. */
const codeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined
  if ("code" in error && typeof error.code === "string" && verdicts.has(error.code)) return error.code
  if ("Code" in error && typeof error.Code === "string") return error.Code
  return error.name === "Error" || error.name === "UnknownError" ? undefined : error.name
}

const statusOf = (error: unknown): number | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  const metadata = "$metadata" in error ? error.$metadata : undefined
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined
}

const messageOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return String(error)
  // Node joins the failures of several addresses in one error without a text.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join(" and ")
  return error.message === "" || error.message === "UnknownError" ? undefined : error.message
}

const withoutSecret = (text: string, secret: Redacted.Redacted<string>): string =>
  Redacted.value(secret) === "" ? text : text.replaceAll(Redacted.value(secret), "<redacted>")
