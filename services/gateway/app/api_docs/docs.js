// Shows the OpenAPI document, under the tab's own key if the dashboard keeps one, else under the browser's.

const key = sessionStorage.getItem("api-key");
const own = key ? { headers: { "X-API-Key": key }, credentials: "omit" } : {};

const answer = await fetch("/openapi.json", own);
if (answer.ok) {
  window.SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: "#operations",
    deepLinking: true,
    requestInterceptor: (request) => {
      if (key) Object.assign(request, { credentials: "omit" }).headers["X-API-Key"] = key;
      return request;
    },
  });
} else {
  document.getElementById("problem").textContent = (await answer.json()).detail;
}
