use super::{Content, Sample, sample};

const PROSE: &str = "The forecast for tomorrow: rain in the north, sun in the south. (It may snow above 2000 m.)\n\
    Nobody should select a route from memory; update your plans, and return before the class ends.\n";

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(super) fn samples() -> Vec<Sample> {
    [markup(), data(), lines(), programs(), plain()].into_iter().flatten().collect()
}

fn markup() -> Vec<Sample> {
    let script = "for (var i = 0; i < list.length; i++) { if (list[i] < 3) { show(list[i]); } }\n".repeat(60);
    vec![
        sample(
            Content::Html,
            "page",
            "<!DOCTYPE html>\n<html lang=\"de\"><head><title>Wetter</title></head><body><h1>Wetter</h1></body></html>",
        ),
        sample(
            Content::Html,
            "rows of a table",
            "<tr><td class=\"day\">Mo</td><td>12°</td></tr>\n<tr><td class=\"day\">Di</td><td>14°</td></tr>\n",
        ),
        sample(
            Content::Html,
            "page with a long script",
            format!("<html><head><script>{script}</script></head><body>"),
        ),
        sample(
            Content::Html,
            "article",
            format!("<div><p>{PROSE}</p><p>{PROSE}</p><ul><li>Rain<li>Sun</ul></div>"),
        ),
        sample(
            Content::Xml,
            "feed",
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>x</title><link>http://a</link><item><title>y</title></item></channel></rss>",
        ),
        sample(
            Content::Xml,
            "elements",
            "<observation><station id=\"6610\"/><t unit=\"C\">12.5</t><rh>80</rh></observation>\n".repeat(8),
        ),
        sample(
            Content::Xml,
            "drawing",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 8\"><g><path d=\"M1 1h6v6h-6z\"/><circle r=\"2\"/></g></svg>",
        ),
    ]
}

fn data() -> Vec<Sample> {
    vec![
        sample(
            Content::Json,
            "object",
            r#"{"station":{"id":6610,"name":"Payerne"},"values":[12.5,12.7,null],"ok":true}"#,
        ),
        sample(
            Content::Json,
            "lines",
            "{\"level\":\"info\",\"ts\":1714557601.2,\"msg\":\"started\"}\n{\"level\":\"warn\",\"ts\":1714557602.9,\"msg\":\"slow, will retry\"}\n",
        ),
        sample(
            Content::Json,
            "cut out of the middle",
            r#"me":"Basel, Binningen","t":13.1},{"id":6601,"name":"Bern / Zollikofen","t":12.2},{"id":67"#,
        ),
        sample(Content::Json, "numbers", "[[1,2,3],[4,5,6],[7.5,-8e3,9]]"),
        sample(
            Content::Csv,
            "commas",
            "time,station,t,rh\n2024-05-01T00:00,6610,12.5,80\n2024-05-01T00:10,6610,12.4,81\n2024-05-01T00:20,6610,12.4,81\n",
        ),
        sample(
            Content::Csv,
            "tabs",
            "6610\tPayerne\t46.8\t6.9\n6601\tBern\t46.9\t7.5\n6670\tZurich\t47.4\t8.6\n",
        ),
        sample(
            Content::Csv,
            "semicolons",
            "\"Bern\";\"cloudy; windy\";12\n\"Basel\";\"rain\";13\n\"Chur\";\"sun\";17\n",
        ),
        sample(
            Content::Pem,
            "certificate",
            format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n".repeat(8).trim_end()
            ),
        ),
        sample(
            Content::Pem,
            "key",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n",
        ),
        sample(
            Content::Sql,
            "query",
            "SELECT s.name, AVG(o.t) FROM observation o JOIN station s ON s.id = o.station WHERE o.at > ? GROUP BY s.name",
        ),
        sample(
            Content::Sql,
            "schema",
            "CREATE TABLE station (\n  id INTEGER PRIMARY KEY,\n  name VARCHAR(40) NOT NULL\n);\nCREATE INDEX by_name ON station (name);\n",
        ),
        sample(
            Content::Sql,
            "dump",
            "insert into station values (6610, 'Payerne', 46.8);\ninsert into station values (6601, 'Bern', 46.9);\n",
        ),
    ]
}

fn lines() -> Vec<Sample> {
    let header = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Wed, 01 May 2024 10:00:00 GMT\r\nContent-Type: text/html\r\n\r\n";
    vec![
        sample(
            Content::Log,
            "of a service",
            "2024-05-01 10:00:01.123 INFO  [http-1] Request took 12 ms\n2024-05-01 10:00:02.500 ERROR [http-2] Cannot connect\njava.io.IOException: refused\n\tat a.B.c(B.java:12)\n2024-05-01 10:00:03.001 INFO  [http-1] Retry\n",
        ),
        sample(
            Content::Log,
            "of a web server",
            "192.0.2.1 - - [01/May/2024:10:00:01 +0200] \"GET /a HTTP/1.1\" 200 512 \"-\" \"curl/8\"\n192.0.2.9 - - [01/May/2024:10:00:02 +0200] \"GET /b HTTP/1.1\" 404 19 \"-\" \"curl/8\"\n",
        ),
        sample(
            Content::Log,
            "of the kernel",
            "[    1.204815] usb 1-1: new high-speed USB device\n[    1.385021] hub 1-0:1.0: 4 ports detected\n[   12.000133] EXT4-fs (sda1): mounted\n",
        ),
        sample(
            Content::Log,
            "of levels",
            "WARN: cache is full\nINFO: dropped 12 entries\nWARN: cache is full\n",
        ),
        sample(
            Content::Http,
            "request",
            "GET /forecast?id=6610 HTTP/1.1\r\nHost: example.com\r\nAccept: text/html\r\nUser-Agent: curl/8.0\r\n\r\n",
        ),
        sample(Content::Http, "response", header),
        sample(
            Content::Http,
            "request with a body",
            "POST /login HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nuser=a&next=%2F",
        ),
        sample(
            Content::Html,
            "response with a page",
            format!("{header}<html><body>{}</body></html>", "<p>Rain <b>and</b> sun</p>".repeat(30)),
        ),
    ]
}

fn programs() -> Vec<Sample> {
    vec![
        sample(
            Content::JavaScript,
            "minified",
            "!function(e,t){\"use strict\";var n={},r=t.document;function i(e){return typeof e===\"function\"}n.each=function(e,t){for(var n=0;n<e.length;n++)t(e[n])}}(0,window);",
        ),
        sample(
            Content::JavaScript,
            "modern",
            "const stations = await fetch('/api').then((r) => r.json());\nlet shown = 0;\nfor (const s of stations) {\n  if (s.t !== undefined) { console.log(s.name); shown += 1; }\n}\n",
        ),
        sample(
            Content::JavaScript,
            "object",
            "var config = { name: 'forecast', refresh: 60, load: function () { return this.name; } };\nwindow.config = config;\n",
        ),
        sample(
            Content::Css,
            "rules",
            ".forecast { display: flex; margin: 0 auto; }\n.forecast .day { padding: 4px; border-left: 1px solid #ccc; color: #333; }\n",
        ),
        sample(
            Content::Css,
            "minified",
            "*{box-sizing:border-box}body{margin:0;font-family:sans-serif;color:#222}a{color:#06c;text-decoration:none}",
        ),
        sample(
            Content::Source,
            "C",
            "#include <string.h>\n\nstatic int find(const struct station *s, const char *name)\n{\n\tfor (int i = 0; s[i].name != NULL; i++)\n\t\tif (strcmp(s[i].name, name) == 0)\n\t\t\treturn i;\n\treturn -1;\n}\n",
        ),
        sample(
            Content::Source,
            "Python",
            "import json\n\nclass Station:\n    def __init__(self, name):\n        self.name = name\n\n    def load(self, path):\n        with open(path) as f:\n            return json.load(f)[self.name]\n",
        ),
        sample(
            Content::Source,
            "Rust",
            "impl Station {\n    pub fn mean(&self) -> Option<f64> {\n        let sum: f64 = self.values.iter().sum();\n        (!self.values.is_empty()).then(|| sum / self.values.len() as f64)\n    }\n}\n",
        ),
        sample(
            Content::Source,
            "Java",
            "package org.forecast;\n\nimport java.util.List;\n\npublic class Station {\n  private final List<String> names;\n  public void add(String name) { names.add(name); }\n}\n",
        ),
        sample(
            Content::Source,
            "shell",
            "#!/bin/sh\nset -e\nfor station in 6610 6601; do\n  curl -s \"https://example.com/$station\" > \"$station.json\"\ndone\n",
        ),
    ]
}

fn plain() -> Vec<Sample> {
    vec![
        sample(Content::Text, "prose", PROSE.repeat(3)),
        sample(Content::Text, "names one after the other", "CreateFileW\0ReadFile\0WriteFile\0CloseHandle\0GetLastError\0VirtualAlloc\0VirtualFree\0"),
        sample(Content::Text, "base64", "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24sIGJ1dCBieSB0aGlzIHNpbmd1bGFyIHBhc3Npb24gZnJvbSBvdGhlciBhbmltYWxz".repeat(4)),
        sample(Content::Text, "environment", "PATH=/usr/bin:/bin\0HOME=/root\0LANG=C.UTF-8\0SHELL=/bin/bash\0TERM=xterm-256color\0"),
        sample(Content::Text, "Russian", "Завтра ожидается дождь, ветер северный, температура воздуха днём до пяти градусов тепла.\n"),
        sample(Content::Utf16, "path", utf16("C:\\Program Files\\Forecast\\stations.db")),
        sample(Content::Utf16, "prose", utf16(PROSE)),
        sample(Content::Utf16, "Greek", utf16("Αύριο αναμένεται βροχή στα βόρεια και ήλιος στα νότια της χώρας.")),
        sample(Content::Utf16, "page", utf16("<html><body><p>Wetter für München</p></body></html>")),
    ]
}
