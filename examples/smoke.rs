use flowtop::probe::*;
fn main() -> anyhow::Result<()> {
    let t = std::time::Instant::now();
    let mut p = Probe::load(&Options::default())?;
    println!("load {:?}", t.elapsed());
    p.prepare_interface(1)?;
    let mut f = vec![0u8; 64];
    f[12] = 8;
    f[13] = 0;
    f[14] = 0x45;
    f[17] = 50;
    f[22] = 64;
    f[23] = 17;
    f[26..30].copy_from_slice(&[10, 0, 0, 1]);
    f[30..34].copy_from_slice(&[10, 0, 0, 2]);
    f[34] = 1;
    f[36] = 2;
    f[39] = 30;
    println!("{:?}", p.test_frame(&f, TestContext::default(), 1_000_000)?);
    f[23] = 6;
    f[46] = 0x50;
    println!("{:?}", p.test_frame(&f, TestContext::default(), 1_000_000)?);
    f[13] = 6;
    println!("{:?}", p.test_frame(&f, TestContext::default(), 1_000_000)?);
    println!("{:#?} {:?}", p.snapshot(), p.interface_totals(1));
    let t = std::time::Instant::now();
    p.snapshot();
    println!("scan {:?}", t.elapsed());
    Ok(())
}
