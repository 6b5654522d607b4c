/**
 * What a client's call can come to besides its result.
 */
import { nameOf, textOf } from "#domain/Errno.ts"
import * as Data from "effect/Data"

/** The file system refused, as POSIX says. */
export class PosixError extends Data.TaggedError("PosixError")<{
  readonly errno: number
  /** What was asked, such as `mkdir`. */
  readonly operation: string
  /** What it was asked of, for people; empty where only an inode is known. */
  readonly path: string
}> {
  get code(): string {
    return nameOf(this.errno)
  }

  override get message(): string {
    const subject = this.path === "" ? "" : `${this.path}: `
    return `${this.operation}: ${subject}${textOf(this.errno)} (${this.code})`
  }
}

/** No runner took the request for as long as the client was told to try. It may or may not have taken effect. */
export class ClusterUnreachable extends Data.TaggedError("ClusterUnreachable")<{
  readonly endpoint: string
  readonly reason: string
}> {
  override get message(): string {
    return this.reason.startsWith(this.endpoint) ? this.reason : `${this.endpoint}: ${this.reason}`
  }
}

/** The cluster will not take this request, however often it is sent. */
export class RequestRefused extends Data.TaggedError("RequestRefused")<{
  readonly reason: string
}> {
  override get message(): string {
    return this.reason
  }
}

/** Bytes of a file could not be fetched or stored. */
export class DataError extends Data.TaggedError("DataError")<{
  readonly path: string
  readonly reason: string
  /** Whether the bytes are lost or wrong, and not only out of reach. */
  readonly damaged: boolean
}> {
  override get message(): string {
    return this.path === "" ? this.reason : `${this.path}: ${this.reason}`
  }
}

/** Whatever keeps a request from reaching a zone. */
export type TransportError = ClusterUnreachable | RequestRefused
export type ClientError = PosixError | TransportError | DataError
