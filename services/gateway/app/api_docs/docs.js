// Shows the OpenAPI document, which needs a key; the key is kept for this tab, as the dashboard keeps it.

const KEY = "api-key";
const form = document.getElementById("sign-in");

async function show() {
  const key = sessionStorage.getItem(KEY);
  const answer = key && (await fetch("/openapi.json", { headers: { "X-API-Key": key } }));
  if (!answer || !answer.ok) {
    document.getElementById("problem").textContent = answer ? (await answer.json()).detail : "";
    form.hidden = false;
    return;
  }
  form.hidden = true;
  window.SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: "#operations",
    deepLinking: true,
    requestInterceptor: (request) => {
      request.headers["X-API-Key"] = key;
      return request;
    },
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, document.getElementById("key").value.trim());
  show();
});
show();
