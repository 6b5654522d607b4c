/**
 * How two ends of a connection prove to each other that they hold the cluster's secret, without sending it:
 * challenge and answer by HMAC-SHA-256, both ways, bound to the purpose of the connection.
 *
 *   client                                     server
 *   magic, version, purpose, nonce C   ---->
 *                                      <----   nonce S, HMAC(secret, "server" C S purpose)
 *   HMAC(secret, "client" C S purpose) ---->
 *                                      <----   verdict (0: welcome)
 *
 * It authenticates the connection's beginning, and does not encrypt: on networks that are not trusted it has to be
 * inside TLS (`Tls`).
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** What a connection is for. */
export const Purpose = { rpc: 1, cluster: 2, blocks: 3, messages: 4 } as const
export type Purpose = (typeof Purpose)[keyof typeof Purpose]

export const Verdict = { welcome: 0, wrongSecret: 1, unknownPurpose: 2, full: 3 } as const

const MAGIC = Buffer.from("CADASTRE", "latin1")
const VERSION = 1
const NONCE_BYTES = 32
const PROOF_BYTES = 32

export const HELLO_BYTES = MAGIC.length + 2 + NONCE_BYTES
export const CHALLENGE_BYTES = NONCE_BYTES + PROOF_BYTES
export const ANSWER_BYTES = PROOF_BYTES
export const VERDICT_BYTES = 1

/** Why the other end is not what it should be. */
export type Problem = "not Cadastre" | "other version" | "wrong secret"

export const hello = (purpose: Purpose): Buffer =>
  Buffer.concat([MAGIC, Buffer.from([VERSION, purpose]), randomBytes(NONCE_BYTES)])

export const purposeOf = (helloBytes: Uint8Array): Purpose | Problem => {
  const bytes = Buffer.from(helloBytes)
  if (Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) !== 0) return "not Cadastre"
  if (bytes[MAGIC.length] !== VERSION) return "other version"
  return bytes[MAGIC.length + 1] as Purpose
}

export const challenge = (secret: string, helloBytes: Uint8Array): Buffer => {
  const nonce = randomBytes(NONCE_BYTES)
  return Buffer.concat([nonce, proof(secret, "server", helloBytes, nonce)])
}

/** The client's answer, once the server has shown that it holds the secret. */
export const answer = (secret: string, helloBytes: Uint8Array, challengeBytes: Uint8Array): Buffer | Problem => {
  const nonce = challengeBytes.subarray(0, NONCE_BYTES)
  const shown = challengeBytes.subarray(NONCE_BYTES)
  if (!equal(shown, proof(secret, "server", helloBytes, nonce))) return "wrong secret"
  return proof(secret, "client", helloBytes, nonce)
}

export const accepts = (
  secret: string,
  helloBytes: Uint8Array,
  challengeBytes: Uint8Array,
  answerBytes: Uint8Array
): boolean => equal(answerBytes, proof(secret, "client", helloBytes, challengeBytes.subarray(0, NONCE_BYTES)))

const proof = (secret: string, side: "client" | "server", helloBytes: Uint8Array, nonce: Uint8Array): Buffer =>
  createHmac("sha256", secret).update(side).update(helloBytes).update(nonce).digest()

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)
