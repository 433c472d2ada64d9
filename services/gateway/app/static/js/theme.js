// The switch between light, dark, and what the system says.

export function startTheme(select) {
  select.value = document.documentElement.dataset.theme;
  select.addEventListener("change", () => {
    document.documentElement.dataset.theme = select.value;
    try {
      localStorage.setItem("theme", select.value);
    } catch {
      // It holds for this page then.
    }
  });
}
