//! The registry and file server that listened beside the recorded daemons on 127.0.0.1:5000.
//!
//! A registry of protocol v1 that is its own index, and files under `/files/`; contents and answers are those of
//! `fixtures/golden/registry.json`. It listens on the loopback of the daemon's own network namespace.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use nix::{
    sched::{CloneFlags, setns},
    sys::socket::{getsockopt, sockopt::PeerCredentials},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::Recordings;

/// Where the recorded daemons' requests look for it.
const PORT: u16 = 5000;
/// The longest body of a request.
const BODY_LIMIT: u64 = 256 << 20;

/// Why the registry is not there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The daemon is on another machine.
    #[error("the daemon is on another machine, whose loopback is out of reach")]
    Elsewhere,
    /// The daemon's network namespace cannot be entered.
    #[error("entering the daemon's network namespace: {0}")]
    Namespace(io::Error),
    /// The port is taken.
    #[error("listening on 127.0.0.1:{PORT}: {0}")]
    Listen(io::Error),
    /// Its contents cannot be read.
    #[error("reading registry.json: {0}")]
    Contents(String),
}

/// A registry that listens until it is dropped.
#[derive(Debug)]
pub struct Registry {
    stop: Arc<AtomicBool>,
    listener: TcpListener,
}

impl Registry {
    /// In this process's own network namespace.
    pub fn here() -> Result<Self, RegistryError> {
        let listener = TcpListener::bind(("127.0.0.1", PORT)).map_err(RegistryError::Listen)?;
        Self::serve(listener)
    }

    /// In the network namespace of the process that listens on a unix socket.
    pub fn beside_socket(socket: &Path) -> Result<Self, RegistryError> {
        let stream = UnixStream::connect(socket).map_err(RegistryError::Namespace)?;
        let peer = getsockopt(&stream, PeerCredentials).map_err(|error| RegistryError::Namespace(error.into()))?;
        Self::beside(peer.pid().try_into().unwrap_or(0))
    }

    /// In a process's network namespace.
    pub fn beside(pid: u32) -> Result<Self, RegistryError> {
        let namespace = File::open(format!("/proc/{pid}/ns/net")).map_err(RegistryError::Namespace)?;
        // A socket stays in the namespace in which it was made; only the thread that makes it has to go there.
        let bound = thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(|error| RegistryError::Namespace(error.into()))?;
            TcpListener::bind(("127.0.0.1", PORT)).map_err(RegistryError::Listen)
        });
        let listener = bound.join().unwrap_or_else(|_| Err(RegistryError::Listen(io::ErrorKind::Other.into())))?;
        Self::serve(listener)
    }

    fn serve(listener: TcpListener) -> Result<Self, RegistryError> {
        let store = Arc::new(Mutex::new(Store::read()?));
        let stop = Arc::new(AtomicBool::new(false));
        let accepting = listener.try_clone().map_err(RegistryError::Listen)?;
        accepting.set_nonblocking(true).map_err(RegistryError::Listen)?;
        let stopped = stop.clone();
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match accepting.accept() {
                    Ok((stream, _)) => {
                        let store = store.clone();
                        thread::spawn(move || connection(stream, &store));
                    }
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        });
        Ok(Self { stop, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Deserialize)]
struct Store {
    /// Image ids by repository and tag.
    tags: BTreeMap<String, BTreeMap<String, String>>,
    images: HashMap<String, StoredImage>,
    files: HashMap<String, StoredFile>,
}

#[derive(Debug, Default, Deserialize)]
struct StoredImage {
    json: Value,
    #[serde(default)]
    layer_b64: String,
    /// What was pushed and is not complete before its checksum.
    #[serde(default)]
    pending: bool,
}

#[derive(Debug, Deserialize)]
struct StoredFile {
    content_type: String,
    b64: String,
}

struct Asked {
    method: String,
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Said {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![("Content-Type", "application/json".into())], body: body.to_string().into_bytes() }
    }

    fn with_token(mut self) -> Self {
        self.headers.push(("X-Docker-Token", "tok".into()));
        self.headers.push(("WWW-Authenticate", "Token tok".into()));
        self.headers.push(("X-Docker-Endpoints", format!("127.0.0.1:{PORT}")));
        self
    }
}

impl Store {
    fn read() -> Result<Self, RegistryError> {
        let path = Recordings::of_the_project().folder().join("registry.json");
        let text = fs::read_to_string(path).map_err(|error| RegistryError::Contents(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| RegistryError::Contents(error.to_string()))
    }

    fn answer(&mut self, asked: &Asked) -> Said {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (asked.method.as_str(), &segments[..]) {
            (_, ["v2", ..]) => Said::json(404, &json!({"errors": []})),
            ("GET", ["v1", "_ping"]) => Said::json(200, &json!(true)),
            ("GET", ["v1", "search"]) => self.search(query),
            ("POST", ["v1", "users"]) => self.register(&asked.body),
            ("GET", ["v1", "users"]) => login(asked.authorization.as_deref()),
            (method, ["v1", "repositories", name @ .., "images"]) => self.repository_images(method, &name.join("/")),
            ("GET", ["v1", "repositories", name @ .., "tags"]) => match self.tags.get(&name.join("/")) {
                Some(tags) => Said::json(200, &json!(tags)),
                None => Said::json(404, &json!({"error": "Repository not found"})),
            },
            (method, ["v1", "repositories", name @ .., "tags", tag]) => {
                self.tag(method, &name.join("/"), tag, &asked.body)
            }
            ("PUT", ["v1", "repositories", "denied", ..]) => Said::json(401, &json!({"error": "Access Denied"})),
            ("PUT", ["v1", "repositories", ..]) => Said::json(200, &json!("")).with_token(),
            (method, ["v1", "images", id, part]) => self.image(method, id, part, &asked.body),
            ("GET", ["files", name @ ..]) => self.file(&name.join("/")),
            _ => Said::json(404, &json!({"error": "Not found"})),
        }
    }

    fn search(&self, query: &str) -> Said {
        let term = query.split('&').find_map(|pair| pair.strip_prefix("q=")).unwrap_or_default();
        let result = |name: &str, description: &str, stars: u32, automated: bool, official: bool| {
            json!({"name": name, "description": description, "star_count": stars, "is_automated": automated,
                   "is_trusted": automated, "is_official": official})
        };
        let results = [result("lib/hello", "a test image", 3, true, false), result("hello", "", 40, false, true)];
        Said::json(200, &json!({"query": term, "num_results": 2, "results": results}))
    }

    fn register(&self, body: &[u8]) -> Said {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match body["username"].as_str() {
            Some("new") => Said::json(201, &json!("User Created")),
            Some("weird") => Said::json(418, &json!("I'm a teapot")),
            _ => Said::json(400, &json!("Username or email already exists")),
        }
    }

    fn repository_images(&self, method: &str, name: &str) -> Said {
        match method {
            "PUT" => Said { status: 204, headers: Vec::new(), body: Vec::new() },
            _ if !self.tags.contains_key(name) => Said::json(404, &json!({"error": "Repository not found"})),
            _ => {
                let mut ids: Vec<&String> =
                    self.images.iter().filter(|(_, image)| !image.pending).map(|(id, _)| id).collect();
                ids.sort();
                let list: Vec<Value> = ids.into_iter().map(|id| json!({"id": id})).collect();
                Said::json(200, &json!(list)).with_token()
            }
        }
    }

    fn tag(&mut self, method: &str, name: &str, tag: &str, body: &[u8]) -> Said {
        if method == "PUT" {
            let id = serde_json::from_slice::<String>(body).unwrap_or_default();
            self.tags.entry(name.to_owned()).or_default().insert(tag.to_owned(), id);
            return Said::json(200, &json!(true));
        }
        match self.tags.get(name).and_then(|tags| tags.get(tag)) {
            Some(id) => Said::json(200, &json!(id)),
            None => Said::json(404, &json!({"error": "Tag not found"})),
        }
    }

    fn image(&mut self, method: &str, id: &str, part: &str, body: &[u8]) -> Said {
        let missing = || Said::json(404, &json!({"error": "Image not found"}));
        if method == "PUT" {
            let image = self
                .images
                .entry(id.to_owned())
                .or_insert_with(|| StoredImage { pending: true, ..StoredImage::default() });
            match part {
                "json" => image.json = serde_json::from_slice(body).unwrap_or_default(),
                "layer" => image.layer_b64 = BASE64_STANDARD.encode(body),
                "checksum" => image.pending = false,
                _ => return missing(),
            }
            return Said::json(200, &json!(true));
        }
        let Some(image) = self.images.get(id).filter(|image| !image.pending) else { return missing() };
        match part {
            "json" => {
                let mut said = Said::json(200, &image.json);
                said.headers.push(("X-Docker-Size", image.json["Size"].as_u64().unwrap_or(0).to_string()));
                said
            }
            "ancestry" => {
                let mut chain = vec![id.to_owned()];
                while let Some(parent) = chain.last().and_then(|id| self.images.get(id)?.json["parent"].as_str())
                    && !chain.iter().any(|known| known == parent)
                {
                    chain.push(parent.to_owned());
                }
                Said::json(200, &json!(chain))
            }
            "layer" => Said {
                status: 200,
                headers: vec![("Content-Type", "application/octet-stream".into())],
                body: BASE64_STANDARD.decode(&image.layer_b64).unwrap_or_default(),
            },
            _ => missing(),
        }
    }

    fn file(&self, name: &str) -> Said {
        match self.files.get(name) {
            Some(file) => Said {
                status: 200,
                headers: vec![("Content-Type", file.content_type.clone())],
                body: BASE64_STANDARD.decode(&file.b64).unwrap_or_default(),
            },
            None => {
                Said { status: 404, headers: vec![("Content-Type", "text/plain".into())], body: b"not here".to_vec() }
            }
        }
    }
}

fn login(authorization: Option<&str>) -> Said {
    let decoded = authorization
        .and_then(|header| header.strip_prefix("Basic "))
        .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    match decoded.as_deref() {
        Some(b"good:secret") => Said::json(200, &json!("OK")),
        Some(b"inactive:secret") => Said::json(403, &json!("Account is not Active")),
        _ => Said::json(401, &json!("Wrong login/password, please try again")),
    }
}

/// Serves a connection until the client leaves or says what is no HTTP.
fn connection(stream: TcpStream, store: &Mutex<Store>) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(asked)) = read_request(&mut reader, &mut writer) {
        let said = store.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).answer(&asked);
        if write_answer(&mut writer, &asked.method, &said).is_err() {
            return;
        }
    }
}

/// `None` at the end of the connection.
fn read_request(reader: &mut impl BufRead, writer: &mut impl Write) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or("/").to_owned());
    let mut headers: HashMap<String, String> = HashMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    if headers.get("expect").is_some_and(|expected| expected.contains("100")) {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        read_chunks(reader, &mut body)?;
    } else if let Some(length) = headers.get("content-length").and_then(|length| length.parse::<u64>().ok()) {
        reader.take(length.min(BODY_LIMIT)).read_to_end(&mut body)?;
    }
    Ok(Some(Asked { method, path, authorization: headers.remove("authorization"), body }))
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        reader.take(size.min(BODY_LIMIT)).read_to_end(body)?;
        let mut end = String::new();
        reader.read_line(&mut end)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn write_answer(writer: &mut impl Write, method: &str, said: &Said) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} x\r\nContent-Length: {}\r\n", said.status, said.body.len());
    head += "X-Docker-Registry-Version: 0.9.1\r\nX-Docker-Registry-Standalone: true\r\n";
    for (name, value) in &said.headers {
        head += &format!("{name}: {value}\r\n");
    }
    writer.write_all((head + "\r\n").as_bytes())?;
    if method != "HEAD" {
        writer.write_all(&said.body)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(store: &mut Store, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let asked = Asked { method: method.into(), path: path.into(), authorization: None, body: body.to_vec() };
        let said = store.answer(&asked);
        (said.status, String::from_utf8_lossy(&said.body).into_owned())
    }

    #[test]
    fn it_answers_as_the_recorded_one_did() {
        let mut store = Store::read().unwrap();
        assert_eq!(ask(&mut store, "GET", "/v1/_ping", b""), (200, "true".into()));
        assert_eq!(ask(&mut store, "GET", "/v2/", b"").0, 404);
        assert_eq!(ask(&mut store, "GET", "/v1/repositories/lib/nosuch/images", b"").0, 404);
        let (status, tags) = ask(&mut store, "GET", "/v1/repositories/lib/hello/tags", b"");
        let id = serde_json::from_str::<Value>(&tags).unwrap()["latest"].as_str().unwrap().to_owned();
        assert_eq!(status, 200);
        let ancestry = ask(&mut store, "GET", &format!("/v1/images/{id}/ancestry"), b"").1;
        assert_eq!(serde_json::from_str::<Vec<String>>(&ancestry).unwrap().len(), 2);
        assert_eq!(ask(&mut store, "GET", "/files/a.txt", b""), (200, "remote file\n".into()));
    }

    #[test]
    fn an_image_counts_from_its_checksum_on() {
        let mut store = Store::read().unwrap();
        let there = |store: &mut Store| ask(store, "GET", "/v1/images/abc/json", b"").0;
        ask(&mut store, "PUT", "/v1/images/abc/json", b"{}");
        assert_eq!(there(&mut store), 404);
        ask(&mut store, "PUT", "/v1/images/abc/checksum", b"");
        assert_eq!(there(&mut store), 200);
    }
}
