import { defineConfig } from "vitest/config"

const BUSY = "simulations/Simulation.test.ts"

export default defineConfig({
  test: {
    silent: "passed-only",
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      // Pure: its files share one process, which starts once.
      { extends: true, test: { name: "domain", include: ["domain/**/*.test.ts"], isolate: false } },
      {
        extends: true,
        test: {
          name: "system",
          include: ["**/*.test.ts"],
          exclude: ["node_modules/**", "domain/**", BUSY],
          globalSetup: ["runners/testing/SharedPostgres.ts"]
        }
      },
      // It takes every core for minutes, so it waits for those that watch the clock.
      { extends: true, test: { name: "simulations", include: [BUSY], sequence: { groupOrder: 1 } } }
    ]
  }
})
