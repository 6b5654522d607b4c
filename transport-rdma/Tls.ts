/**
 * TLS between ends that hold the cluster's secret: its key follows from the secret, so there are no certificates to
 * make, hand out and renew (ECDHE_PSK, RFC 5489; ChaCha20-Poly1305, RFC 7905). Each connection's own Diffie-Hellman
 * exchange keeps what was recorded closed, should the secret become known later.
 */
import * as Redacted from "effect/Redacted"
import { hkdfSync } from "node:crypto"
import type * as Net from "node:net"
import * as Tls from "node:tls"

const IDENTITY = "cadastre"
const KEY_BYTES = 32
/** Node's keys that both ends share are of TLS 1.2. */
const settings = { ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

const keyOf = (secret: Redacted.Redacted<string>): Buffer =>
  Buffer.from(hkdfSync("sha256", Redacted.value(secret), "", "cadastre tls", KEY_BYTES))

/** A connection; `secureConnect` is its event once both ends have shown that they hold the secret. */
export const connect = (host: string, port: number, secret: Redacted.Redacted<string>): Tls.TLSSocket => {
  const psk = keyOf(secret)
  const socket = Tls.connect({
    ...settings,
    host,
    port,
    pskCallback: () => ({ psk, identity: IDENTITY }),
    // There is no certificate: the key says who it is.
    checkServerIdentity: () => undefined
  })
  return socket.setNoDelay(true)
}

/** A listener whose connections are given to `take` once they are encrypted, or to `refuse`. */
export const createServer = (
  secret: Redacted.Redacted<string>,
  handshakeMillisMax: number,
  take: (socket: Net.Socket) => void,
  refuse: (socket: Net.Socket, reason: string) => void
): Net.Server => {
  const psk = keyOf(secret)
  const options = {
    ...settings,
    noDelay: true,
    handshakeTimeout: handshakeMillisMax,
    pskCallback: (_: Tls.TLSSocket, identity: string) => identity === IDENTITY ? psk : null
  }
  return Tls.createServer(options, take).on("tlsClientError", (cause, socket) => {
    refuse(socket, `no TLS with it (does it hold another secret, or speak none?): ${cause.message}`)
    socket.destroy()
  })
}

/** Whether TLS did not come about, however often it is tried. */
export const isRefusal = ({ code }: NodeJS.ErrnoException): boolean => code?.startsWith("ERR_SSL_") === true
