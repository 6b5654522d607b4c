/**
 * Authenticated TCP connections, encrypted or not: one listener for all purposes, and the connecting side. It knows
 * nothing of what is said on a connection after the handshake.
 */
import * as Handshake from "#transport/Handshake.ts"
import * as Tls from "#transport/Tls.ts"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

/** No authenticated connection came about. */
export class ConnectFailed extends Data.TaggedError("ConnectFailed")<{
  readonly endpoint: string
  readonly reason: string
  /** Whether the same call may succeed later. */
  readonly retryable: boolean
  /** The other side answered that nobody listens there: its process is gone. */
  readonly refused: boolean
}> {
  override get message(): string {
    return `${this.endpoint}: ${this.reason}`
  }
}

/** The listener could not be opened. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly endpoint: string
  readonly reason: string
}> {
  override get message(): string {
    return `cannot listen on ${this.endpoint}: ${this.reason}`
  }
}

export interface Address {
  readonly host: string
  readonly port: number
}

export const format = (
  { host, port }: Address
): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)

const HANDSHAKE_MILLIS_MAX = 5000
/** Connections of one listener, those in their handshake included. */
const CONNECTIONS_MAX = 4096

export interface ConnectOptions extends Address {
  readonly secret: Redacted.Redacted<string>
  readonly purpose: Handshake.Purpose
  /** For connecting and handshake together, in milliseconds. */
  readonly timeoutMillis?: number
  /** Whether it is encrypted (`Tls`). Both ends must want the same. */
  readonly tls?: boolean
}

/** A connection to a Cadastre that holds the same secret. It is closed with the scope. */
export const connect = (options: ConnectOptions): Effect.Effect<Net.Socket, ConnectFailed, Scope.Scope> =>
  // May be interrupted while it opens, unlike what acquires: whoever stops need not wait for a host that is gone.
  Effect.uninterruptibleMask((restore) =>
    Effect.tap(restore(open(options)), (socket) => Effect.addFinalizer(() => Effect.sync(() => socket.destroy())))
  )

const open = (options: ConnectOptions): Effect.Effect<Net.Socket, ConnectFailed> =>
  Effect.async((resume) => {
    const endpoint = format(options)
    const limit = options.timeoutMillis ?? HANDSHAKE_MILLIS_MAX
    const { host, port, secret, tls = false } = options
    const socket = tls ? Tls.connect(host, port, secret) : Net.connect({ host, port, noDelay: true })
    const timer = setTimeout(() => fail(`no answer in ${limit} ms`, true), limit)
    const done = (result: Effect.Effect<Net.Socket, ConnectFailed>): void => {
      clearTimeout(timer)
      socket.off("error", onError)
      socket.off("close", onClose)
      resume(result)
    }
    const fail = (reason: string, retryable: boolean, refused = false): void => {
      done(Effect.fail(new ConnectFailed({ endpoint, reason, retryable, refused })))
      socket.on("error", ignore)
      socket.destroy()
    }
    const onError = (cause: NodeJS.ErrnoException): void =>
      Tls.isRefusal(cause)
        ? fail(`no TLS with it: it holds another secret, or speaks none (${cause.message})`, false)
        : fail(explain(cause), true, cause.code === "ECONNREFUSED")
    const onClose = (): void =>
      fail(
        `closed the connection before it was authenticated; does it want ${tls ? "no TLS" : "TLS"}? (CADASTRE_TLS)`,
        true
      )
    socket.once("error", onError)
    socket.once("close", onClose)
    socket.once(tls ? "secureConnect" : "connect", () => {
      const hello = Handshake.hello(options.purpose)
      socket.write(hello)
      readExactly(socket, Handshake.CHALLENGE_BYTES, (challenge) => {
        const answer = Handshake.answer(Redacted.value(secret), hello, challenge)
        if (typeof answer === "string") return fail(explainProblem(answer), false)
        socket.write(answer)
        readExactly(socket, Handshake.VERDICT_BYTES, ([verdict]) => {
          if (verdict === Handshake.Verdict.welcome) return done(Effect.succeed(socket))
          fail(explainVerdict(verdict), verdict === Handshake.Verdict.full || verdict === NOT_YET)
        })
      })
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })

/** A runner listens before all that it serves stands. */
const NOT_YET = Handshake.Verdict.unknownPurpose

const explain = (cause: NodeJS.ErrnoException): string => {
  switch (cause.code) {
    case "ECONNREFUSED":
      return "nobody listens there; is the runner up?"
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is not known"
    default:
      return cause.message
  }
}

const explainProblem = (problem: Handshake.Problem): string =>
  problem === "wrong secret"
    ? "the cluster secret is not the one that this cluster has (--secret-file, CADASTRE_SECRET)"
    : `what answers there is ${problem}`

const explainVerdict = (verdict: number | undefined): string => {
  switch (verdict) {
    case Handshake.Verdict.wrongSecret:
      return "the cluster refuses the secret"
    case Handshake.Verdict.full:
      return "the runner has as many connections as it takes"
    case NOT_YET:
      return "the runner does not serve this kind of connection yet"
    default:
      return "the runner refuses the connection"
  }
}

/** What happens with an authenticated connection of a purpose. */
export type Accept = (socket: Net.Socket) => void

export interface ListenOptions extends Address {
  readonly secret: Redacted.Redacted<string>
  readonly accept: ReadonlyMap<Handshake.Purpose, Accept>
  /** Whether connections are encrypted (`Tls`); others are refused then. */
  readonly tls?: boolean
  /** Told of each refused connection, for the log. */
  readonly onRefused: (remote: string, reason: string) => void
}

/** Listens until the scope closes. Port 0 takes a free one; the address says which. */
export const listen = (options: ListenOptions): Effect.Effect<Address, ListenFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const opened = yield* Deferred.make<Address, ListenFailed>()
    const sockets = new Set<Net.Socket>()
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const take = (socket: Net.Socket): void => receive(socket, options, sockets.size > CONNECTIONS_MAX)
        const refuse = (socket: Net.Socket, reason: string): void => options.onRefused(remoteOf(socket), reason)
        const made = options.tls === true
          ? Tls.createServer(options.secret, HANDSHAKE_MILLIS_MAX, take, refuse)
          : Net.createServer({ noDelay: true }, take)
        return made.prependListener("connection", (socket) => {
          sockets.add(socket)
          socket.once("close", () => sockets.delete(socket))
        })
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === "EADDRINUSE" ? "the port is taken; choose another with --port" : cause.message
      Deferred.unsafeDone(opened, Effect.fail(new ListenFailed({ endpoint: format(options), reason })))
    })
    server.listen({ host: options.host, port: options.port }, () => {
      const { address, port } = server.address() as Net.AddressInfo
      Deferred.unsafeDone(opened, Effect.succeed({ host: address, port }))
    })
    return yield* Deferred.await(opened)
  })

const remoteOf = ({ remoteAddress, remotePort }: Net.Socket): string =>
  format({ host: remoteAddress ?? "unknown", port: remotePort ?? 0 })

const receive = (socket: Net.Socket, options: ListenOptions, full: boolean): void => {
  const remote = remoteOf(socket)
  const secret = Redacted.value(options.secret)
  let settled = false
  const refuse = (reason: string, verdict?: number): void => {
    if (settled) return
    settled = true
    clearTimeout(timer)
    options.onRefused(remote, reason)
    if (verdict === undefined) socket.destroy()
    else socket.end(Buffer.from([verdict]))
  }
  const onClose = (): void => refuse("it left during the handshake (does it hold another secret?)")
  const onError = (cause: Error): void => refuse(cause.message)
  const timer = setTimeout(() => refuse("it did not finish the handshake in time"), HANDSHAKE_MILLIS_MAX)
  socket.once("close", onClose)
  socket.on("error", onError)
  readExactly(socket, Handshake.HELLO_BYTES, (hello) => {
    const purpose = Handshake.purposeOf(hello)
    if (typeof purpose === "string") return refuse(`it is ${purpose}`)
    const challenge = Handshake.challenge(secret, hello)
    socket.write(challenge)
    readExactly(socket, Handshake.ANSWER_BYTES, (answer) => {
      if (!Handshake.accepts(secret, hello, challenge, answer)) {
        return refuse("it holds another secret", Handshake.Verdict.wrongSecret)
      }
      const accept = options.accept.get(purpose)
      if (accept === undefined) return refuse("nothing serves its purpose", Handshake.Verdict.unknownPurpose)
      if (full) return refuse("there are too many connections", Handshake.Verdict.full)
      settled = true
      clearTimeout(timer)
      socket.off("close", onClose)
      socket.off("error", onError)
      socket.on("error", ignore)
      socket.write(Buffer.from([Handshake.Verdict.welcome]))
      accept(socket)
    })
  })
}

/** A socket's error is always followed by its close, which is where its end is handled. */
const ignore = (): void => undefined

/** Calls back once with the next bytes, and leaves what follows them in the socket. */
const readExactly = (socket: Net.Socket, count: number, use: (bytes: Buffer) => void): void => {
  const onReadable = (): void => {
    const bytes = socket.read(count) as Buffer | null
    if (bytes === null || bytes.length < count) return
    socket.off("readable", onReadable)
    use(bytes)
  }
  socket.on("readable", onReadable)
  onReadable()
}
