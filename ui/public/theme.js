// Runs before the first paint so that the chosen theme never flashes. A file of its own, so a strict content policy may hold.
(function () {
  var theme = null;
  try {
    theme = localStorage.getItem("sightline.theme");
  } catch (_) {
    theme = null;
  }
  if (theme !== "dark" && theme !== "light") {
    theme = window.matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  }
  document.documentElement.dataset.theme = theme;
})();
