import { defineConfig } from "vitest/config"

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
          exclude: ["node_modules/**", "domain/**"],
          globalSetup: ["runners/testing/SharedPostgres.ts"]
        }
      }
    ]
  }
})
