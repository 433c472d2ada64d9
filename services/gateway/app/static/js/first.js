// Runs before anything is painted: the chosen theme, so that a dark page does not flash white.
{
  let theme = "auto";
  try {
    theme = localStorage.getItem("theme") ?? "auto";
  } catch {
    // Storage may be forbidden; then the system's theme counts.
  }
  document.documentElement.dataset.theme = theme;
}
