use fezz::prelude::*;

#[fezz_function(path = "/", timeout = "1500ms")]
async fn todos(mut request: Request, _context: Context) -> Result<String, fezz::Error> {
    request = request.with_body("1");
    let todo: u32 = request.text()?.parse()?;
    Ok(todo.to_string())
}

fn main() {}
