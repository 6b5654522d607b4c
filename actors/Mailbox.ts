/**
 * What waits for a zone, first come first served, bounded in number and bytes. Plain and synchronous: the zone
 * drains it, callers see at once when it is full.
 */
import { Limits } from "#domain/Limits.ts"
import * as Effect from "effect/Effect"

export class Mailbox<Work extends { readonly bytes: number }> {
  private queue: Array<Work> = []
  private bytes = 0
  private readonly filled = Effect.unsafeMakeLatch(false)

  get length(): number {
    return this.queue.length
  }

  /** Whether it was taken. */
  offer(work: Work): boolean {
    if (this.queue.length >= Limits.mailboxMessagesMax) return false
    if (this.queue.length > 0 && this.bytes + work.bytes > Limits.mailboxBytesMax) return false
    this.queue.push(work)
    this.bytes += work.bytes
    this.filled.unsafeOpen()
    return true
  }

  /** Returns once there is something to take. */
  get ready(): Effect.Effect<void> {
    return this.filled.await
  }

  /** Takes work from the front as long as `accept` holds for it, but one piece at least. */
  take(accept: (work: Work) => boolean): ReadonlyArray<Work> {
    let count = 0
    while (count < this.queue.length && (count === 0 || accept(this.queue[count] as Work))) count++
    const taken = this.queue.splice(0, count)
    for (const work of taken) this.bytes -= work.bytes
    if (this.queue.length === 0) this.filled.unsafeClose()
    return taken
  }
}
