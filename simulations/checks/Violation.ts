/** What a check, a client or a process found that must not be. */
export interface Violation {
  /** Which rule it breaks, in a word or two. */
  readonly rule: string
  readonly text: string
}
