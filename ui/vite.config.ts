import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The API a development server talks to; the built page is served by Sightline itself.
const api = process.env.SIGHTLINE_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/sightline/web/static",
    emptyOutDir: true,
    // ECharts is one lazy chunk of this order; the first view loads without it.
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/api": { target: api, changeOrigin: false } } },
});
